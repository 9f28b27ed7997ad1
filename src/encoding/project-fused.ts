import type { ViewsPermit } from '../admission/view-budget.ts';
import type { Trace } from '../telemetry/trace.ts';
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
  features: readonly Uint8Array<ArrayBuffer>[],
  permit: ViewsPermit,
  trace: Trace | undefined,
  signal: AbortSignal,
): Promise<Projected> {
  if (projector === undefined) throw new Error(`the model ${model.name} has no engine for its projector`);
  const startMs = now();
  const wanted = { output: dtype === 'float16' ? 'float16' : 'float32', trace } as const;
  const [projected] = await projector.batcher.encode(permit, features, wanted, signal);
  trace?.stage('project', startMs, now());
  const { tokens, queueMs, engineMs } = projected!;
  return { parts: [dtype === 'bfloat16' ? await tokenPool.bfloat16(tokens) : tokens], queueMs, engineMs };
}
