import type { StopSignal } from '../errors/abort.ts';
import type { ViewsPermit } from '../admission/view-budget.ts';
import type { Batcher } from '../inference/batcher.ts';
import type { ViewTokens } from '../inference/waiting-view.ts';
import {
  embeddingsStem,
  type GraphDtype,
  type GraphOutput,
  layerStem,
  pooledStem,
} from '../model/graph-io.ts';
import { viewLoad } from '../recipes/cost.ts';
import type { Plan } from '../recipes/plan.ts';
import type { Trace } from '../telemetry/trace.ts';
import { dtypeBytes } from '../tokens/tensor.ts';
import type { EncodedImage } from './encoded-image.ts';
import type { EncodingParts } from './encoding-parts.ts';
import { engineTime } from './engine-time.ts';
import { projectFused } from './project-fused.ts';
import type { NewImage } from './planned-image.ts';
import { hasClassToken, type ResolvedRequest } from './resolve-request.ts';
import { runAll } from './run-all.ts';

/**
 * Decodes an image, cuts its views, encodes them with the model, assembles their tokens, projects fused features, and
 * caches the result. Releases `permit` when it ends.
 */
export async function encodeImage(
  parts: EncodingParts,
  resolved: ResolvedRequest,
  image: NewImage,
  permit: ViewsPermit,
  signal: StopSignal,
): Promise<EncodedImage> {
  const { now, viewPool, cache, remoteCache } = parts;
  const { key, size, plan, headerMs, trace } = image;
  try {
    const requestedAt = now();
    const made = await viewPool.make(image, resolved.options.exif, signal, permit);
    const { decodeMs, cutMs } = made;
    const queuedAt = now();
    // Both ways between the threads are in it.
    const waitMs = Math.max(0, queuedAt - requestedAt - decodeMs - cutMs);
    trace?.stage('wait to decode', requestedAt, requestedAt + waitMs);
    trace?.stage('decode', queuedAt - cutMs - decodeMs, queuedAt - cutMs);
    trace?.stage('views', queuedAt - cutMs, queuedAt);
    const wanted = { outputs: viewOutputs(resolved, plan), trace };
    const shares = await runAll(sharesOf(parts, resolved, plan, permit), signal, (share, all) =>
      share.batcher.encode(share.permit, made.views.slice(share.from, share.until), wanted, all),
    );
    const encoded = shares.length === 1 ? shares[0]! : shares.flat();
    if (trace !== undefined) traceBatches(trace, queuedAt, encoded);
    const encodedAt = now();
    const engineMs = engineTime(encoded);
    const engineWaitMs = Math.max(0, encodedAt - queuedAt - engineMs);
    const tokens = await joinLayers(parts, resolved, plan, encoded);
    const assembled = await assemble(parts, resolved, plan, tokens);
    const assembledAt = now();
    trace?.stage('assemble', encodedAt, assembledAt);
    const projected =
      plan.fused === undefined
        ? { parts: assembled, queueMs: 0, engineMs: 0 }
        : await projectFused(parts, resolved, plan, assembled, permit, trace, signal);
    if (key !== undefined) {
      const answered = { size, parts: projected.parts };
      cache.set(key, answered);
      remoteCache?.set(key, answered);
    }
    return {
      size,
      parts: projected.parts,
      source: 'miss',
      timings: {
        decodeMs: headerMs + decodeMs,
        viewsMs: cutMs,
        queueMs: waitMs + engineWaitMs + projected.queueMs,
        engineMs: engineMs + projected.engineMs,
        assembleMs: assembledAt - encodedAt,
        batchViews: Math.max(...encoded.map(({ batchViews }) => batchViews)),
      },
    };
  } finally {
    permit.release();
  }
}

/** A range of a plan's views, which join the queue of one batcher together. */
interface ViewShare {
  readonly batcher: Batcher;
  readonly permit: ViewsPermit;
  readonly from: number;
  readonly until?: number;
}

/** Divides the views by the model that encodes them: all are one share unless a canvas names another model. */
function sharesOf(
  { served }: EncodingParts,
  { batcher }: ResolvedRequest,
  plan: Plan,
  permit: ViewsPermit,
): readonly ViewShare[] {
  const { canvases } = plan;
  if (canvases.every(({ encoder }) => encoder === undefined)) return [{ batcher, permit, from: 0 }];
  const { caller, priority } = permit;
  const release = (): void => permit.release();
  let from = 0;
  return canvases.map((canvas): ViewShare => {
    const { encoder, views } = canvas;
    const start = from;
    from += views.length;
    if (encoder === undefined) return { batcher, permit, from: start, until: from };
    const other = served.find(({ model }) => model.name === encoder.model);
    if (other === undefined) throw new Error(`The plan names "${encoder.model}", which is not served.`);
    const begin = (): void => permit.begin(viewLoad(plan, canvas));
    const larger = { caller, priority, begin, release };
    return { batcher: other.batcher, permit: larger, from: start, until: from };
  });
}

/** Records the wait for the first batch, and each batch, of the image's views, which joined the queue together. */
function traceBatches(trace: Trace, queuedAt: number, encoded: readonly ViewTokens[]): void {
  const batches = new Map(encoded.map((view) => [view.queueMs, view.engineMs]));
  trace.stage('queue', queuedAt, queuedAt + Math.min(...batches.keys()));
  for (const [queueMs, engineMs] of batches) {
    const startedAt = queuedAt + queueMs;
    trace.stage('engine', startedAt, startedAt + engineMs);
  }
}

/** The dtype to ask the graph for: float32 where arithmetic follows, so that tokens are rounded once. */
function viewDtype({ options: { dtype } }: ResolvedRequest, { assembly }: Plan): GraphDtype {
  const isUntouched = assembly.kind === 'single' || assembly.kind === 'stack';
  return isUntouched && dtype === 'float16' ? 'float16' : 'float32';
}

/** What to ask the graph for. */
function viewOutputs(resolved: ResolvedRequest, plan: Plan): readonly GraphOutput[] {
  const { model, recipe, output, features } = resolved;
  const dtype = viewDtype(resolved, plan);
  if (output === 'pooled') return [`${pooledStem}_${dtype}`];
  if (output === 'embeddings') return [plan.fused === undefined ? `${embeddingsStem}_${dtype}` : dtype];
  const classToken = hasClassToken(recipe);
  return features.map((layer) =>
    layer === model.features && !classToken ? dtype : (`${layerStem(layer, classToken)}_${dtype}` as const),
  );
}

/** The tokens of each view, with the channels of all its hidden states. */
async function joinLayers(
  { tokenPool }: EncodingParts,
  resolved: ResolvedRequest,
  plan: Plan,
  views: readonly ViewTokens[],
): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  if (views.every(({ tokens }) => tokens.length === 1)) return views.map(({ tokens }) => tokens[0]!);
  const rowBytes = resolved.model.channels * dtypeBytes[viewDtype(resolved, plan)];
  return await Promise.all(views.map(({ tokens }) => tokenPool.join(tokens, rowBytes)));
}

/** Turns the views' tokens into the parts of the answer, in order, or into the float32 features that the projector takes. */
async function assemble(
  { tokenPool }: EncodingParts,
  { projector, options: { dtype } }: ResolvedRequest,
  plan: Plan,
  views: readonly Uint8Array<ArrayBuffer>[],
): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  const { assembly, fused } = plan;
  switch (assembly.kind) {
    case 'single':
    case 'stack':
      return dtype === 'bfloat16' ? await Promise.all(views.map((view) => tokenPool.bfloat16(view))) : views;
    case 'fuse':
    case 'anyres':
      if (fused !== undefined) return [await tokenPool.assemble({ ...plan, ...fused }, views, 'float32')];
      return [await tokenPool.assemble(plan, views, dtype, projector?.newline)];
  }
}
