import type { StopSignal } from '../errors/abort.ts';
import type { ViewsPermit } from '../admission/view-budget.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { Plan } from '../recipes/plan.ts';
import type { Trace } from '../telemetry/trace.ts';
import { answerBytes } from './answer.ts';
import type { EncodingParts } from './encoding-parts.ts';
import type { ResolvedRequest } from './resolve-request.ts';

/** Embeddings, and the time of the projector's engine. */
interface Projected {
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  readonly queueMs: number;
  readonly engineMs: number;
}

/** Projects float32 features that were assembled from views, and rounds once to the answer's dtype. */
export async function projectFused(
  { tokenPool, now }: EncodingParts,
  { projector, model, options: { dtype } }: ResolvedRequest,
  plan: Plan,
  features: readonly Uint8Array<ArrayBuffer>[],
  permit: ViewsPermit,
  trace: Trace | undefined,
  signal: StopSignal,
): Promise<Projected> {
  if (projector === undefined) throw new Error(`the model ${model.name} has no engine for its projector`);
  const startMs = now();
  const wanted = { outputs: [dtype === 'float16' ? 'float16' : 'float32'], trace } as const;
  const [projected] = await projector.batcher.encode(permit, features, wanted, signal);
  trace?.stage('project', startMs, now());
  const { tokens, queueMs, engineMs } = projected!;
  const [rows] = tokens;
  const embeddings = dtype === 'bfloat16' ? await tokenPool.bfloat16(rows!) : rows!;
  const plannedBytes = answerBytes(plan, dtype);
  if (embeddings.byteLength !== plannedBytes) {
    // A remote engine may give any number of rows.
    const cause = new Error(`${embeddings.byteLength} bytes of embeddings instead of ${plannedBytes}`);
    throw new ServiceError('internal', "The projector's answer does not match its model.", { cause });
  }
  return { parts: [embeddings], queueMs, engineMs };
}
