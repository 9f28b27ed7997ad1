import type { ViewsPermit } from '../admission/view-budget.ts';
import type { ViewTokens, WantedTokens } from '../inference/batcher.ts';
import type { GraphDtype } from '../model/graph-io.ts';
import type { Plan } from '../recipes/plan.ts';
import type { Trace } from '../telemetry/trace.ts';
import type { TokenDtype } from '../tokens/tensor.ts';
import type { EncodedImage } from './encoded-image.ts';
import type { EncodingParts } from './encoding-parts.ts';
import type { NewImage, Planned } from './image-request.ts';
import type { ResolvedRequest } from './resolve-request.ts';
import { runAll } from './run-all.ts';

/** Decodes an image, cuts its views, encodes them with the model and assembles their tokens. */
export async function encodeImage(
  parts: EncodingParts,
  { batcher, options: { dtype, exif } }: ResolvedRequest,
  { image, size, plan, headerMs, trace }: Planned<NewImage>,
  permit: ViewsPermit,
  signal: AbortSignal,
): Promise<EncodedImage> {
  const { now } = parts;
  const request = { image, exif, size, plan, schedulingClass: permit };
  const requestedAt = now();
  const { views, waitMs, decodeMs, cutMs } = await parts.viewPool.make(request, signal);
  const queuedAt = now();
  trace?.stage('wait to decode', requestedAt, requestedAt + waitMs);
  trace?.stage('decode', queuedAt - cutMs - decodeMs, queuedAt - cutMs);
  trace?.stage('views', queuedAt - cutMs, queuedAt);
  const wanted = { dtype: graphDtype(plan, dtype), trace };
  const encoded = await encodeViews(parts, batcher, permit, plan, views, wanted, signal);
  if (trace !== undefined) traceBatches(trace, queuedAt, encoded);
  const encodedAt = now();
  const tokens = await assemble(
    parts,
    plan,
    encoded.map(({ tokens: view }) => view),
    dtype,
  );
  const assembledAt = now();
  trace?.stage('assemble', encodedAt, assembledAt);
  return {
    size,
    parts: tokens,
    timings: {
      decodeMs: headerMs + decodeMs,
      viewsMs: cutMs,
      queueMs: waitMs + Math.max(...encoded.map(({ queueMs }) => queueMs)),
      engineMs: Math.max(...encoded.map(({ engineMs }) => engineMs)),
      assembleMs: assembledAt - encodedAt,
    },
  };
}

/** Encodes the views and returns their tokens in the plan's order. Each canvas goes to the model that encodes it. */
async function encodeViews(
  { served }: EncodingParts,
  batcher: ResolvedRequest['batcher'],
  permit: ViewsPermit,
  { canvases }: Plan,
  views: readonly Uint8Array<ArrayBuffer>[],
  wanted: WantedTokens,
  signal: AbortSignal,
): Promise<ViewTokens[]> {
  if (canvases.every(({ encoder }) => encoder === undefined)) {
    return await batcher.encode(permit, views, wanted, signal);
  }
  let from = 0;
  const parts = canvases.map(({ encoder, views: { length } }) => {
    const own = views.slice(from, (from += length));
    const other = served.find(({ model }) => model.name === encoder?.model);
    return { own, batcher: other?.batcher ?? batcher };
  });
  const encoded = await runAll(parts, signal, (part, all) =>
    part.batcher.encode(permit, part.own, wanted, all),
  );
  return encoded.flat();
}

/** Records the wait and each batch of the image's views, which joined the queue together. */
function traceBatches(trace: Trace, queuedAt: number, encoded: readonly ViewTokens[]): void {
  const batches = new Map(encoded.map((view) => [view.queueMs, view.engineMs]));
  trace.stage('queue', queuedAt, queuedAt + Math.max(...batches.keys()));
  for (const [queueMs, engineMs] of batches) {
    const startedAt = queuedAt + queueMs;
    trace.stage('engine', startedAt, startedAt + engineMs);
  }
}

/** The dtype to request from the graph: float32 where arithmetic follows, so that tokens are rounded once. */
function graphDtype({ assembly }: Plan, dtype: TokenDtype): GraphDtype {
  const isUntouched = assembly.kind === 'single' || assembly.kind === 'stack';
  return isUntouched && dtype === 'float16' ? 'float16' : 'float32';
}

/** Turns the views' tokens into the parts of the answer, in order. */
async function assemble(
  { tokenPool }: EncodingParts,
  plan: Plan,
  views: readonly Uint8Array<ArrayBuffer>[],
  dtype: TokenDtype,
): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  switch (plan.assembly.kind) {
    case 'single':
    case 'stack':
      return dtype === 'bfloat16' ? await Promise.all(views.map((view) => tokenPool.bfloat16(view))) : views;
    case 'fuse':
    case 'anyres':
      return [await tokenPool.assemble(plan, views, dtype)];
  }
}
