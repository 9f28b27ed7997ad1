import type { ViewsPermit } from '../admission/view-budget.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { Model } from '../model/model.ts';
import type { Trace } from '../telemetry/trace.ts';
import { byteLengthOf, dtypeBytes } from '../tokens/tensor.ts';
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
  requireRows(model, features, tokens, wanted.output);
  return { parts: [dtype === 'bfloat16' ? await tokenPool.bfloat16(tokens) : tokens], queueMs, engineMs };
}

/** Throws `internal` unless there is a row of embeddings for each row of features: a remote engine may give any number. */
function requireRows(
  { channels, projector }: Model,
  features: readonly Uint8Array[],
  embeddings: Uint8Array,
  dtype: 'float16' | 'float32',
): void {
  const rows = byteLengthOf(features) / (channels * dtypeBytes.float32);
  const expectedBytes = rows * (projector?.hiddenSize ?? 0) * dtypeBytes[dtype];
  if (embeddings.byteLength === expectedBytes) return;
  const cause = new Error(`${embeddings.byteLength} bytes of embeddings instead of ${expectedBytes}`);
  throw new ServiceError('internal', "The projector's answer does not match its model.", { cause });
}
