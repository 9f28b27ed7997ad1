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
import { projectFused } from './project-fused.ts';
import type { NewImage } from './planned-image.ts';
import { hasClassToken, type ResolvedRequest } from './resolve-request.ts';
import { runAll } from './run-all.ts';

/**
 * Decodes an image, cuts its views, encodes them with the model, assembles their tokens, projects those that were fused, and
 * caches the result. Releases `permit` when it ends.
 */
export async function encodeImage(
  parts: EncodingParts,
  resolved: ResolvedRequest,
  { image, key, size, plan, headerMs, trace }: NewImage,
  permit: ViewsPermit,
  signal: StopSignal,
): Promise<EncodedImage> {
  const { now, cache, remoteCache } = parts;
  try {
    const requestedAt = now();
    const request = { image, exif: resolved.options.exif, size, plan, schedulingClass: permit };
    const { views, waitMs, decodeMs, cutMs } = await parts.viewPool.make(request, signal);
    const queuedAt = now();
    trace?.stage('wait to decode', requestedAt, requestedAt + waitMs);
    trace?.stage('decode', queuedAt - cutMs - decodeMs, queuedAt - cutMs);
    trace?.stage('views', queuedAt - cutMs, queuedAt);
    const wanted = { outputs: viewOutputs(resolved, plan), trace };
    const groups = groupViews(parts, resolved, plan, permit, views);
    const encoded = (
      await runAll(groups, signal, (group, all) =>
        group.batcher.encode(group.permit, group.views, wanted, all),
      )
    ).flat();
    if (trace !== undefined) traceBatches(trace, queuedAt, encoded);
    const encodedAt = now();
    const tokens = await Promise.all(encoded.map((view) => joinLayers(parts, resolved, plan, view)));
    const assembled = await assemble(parts, resolved, plan, tokens);
    const assembledAt = now();
    trace?.stage('assemble', encodedAt, assembledAt);
    const projected =
      plan.fused === undefined
        ? { parts: assembled, queueMs: 0, engineMs: 0 }
        : await projectFused(parts, resolved, plan, assembled, permit, trace, signal);
    const made = { size, parts: projected.parts };
    if (key !== undefined) {
      cache.set(key, made);
      remoteCache?.set(key, made);
    }
    return {
      ...made,
      source: 'miss',
      timings: {
        decodeMs: headerMs + decodeMs,
        viewsMs: cutMs,
        queueMs: waitMs + Math.max(...encoded.map(({ queueMs }) => queueMs)) + projected.queueMs,
        engineMs: Math.max(...encoded.map(({ engineMs }) => engineMs)) + projected.engineMs,
        assembleMs: assembledAt - encodedAt,
        batchViews: Math.max(...encoded.map(({ batchViews }) => batchViews)),
      },
    };
  } finally {
    permit.release();
  }
}

/** Views that join the queue of one batcher together. */
interface ViewGroup {
  readonly batcher: Batcher;
  readonly permit: ViewsPermit;
  readonly views: readonly Uint8Array<ArrayBuffer>[];
}

/** Groups the views, in the plan's order, by the model that encodes them: all are one group unless a canvas names another. */
function groupViews(
  { served }: EncodingParts,
  { batcher }: ResolvedRequest,
  plan: Plan,
  permit: ViewsPermit,
  views: readonly Uint8Array<ArrayBuffer>[],
): readonly ViewGroup[] {
  const { canvases } = plan;
  if (canvases.every(({ encoder }) => encoder === undefined)) return [{ batcher, permit, views }];
  let from = 0;
  return canvases.map((canvas) => {
    const { encoder } = canvas;
    const own = views.slice(from, (from += canvas.views.length));
    if (encoder === undefined) return { batcher, permit, views: own };
    const other = served.find(({ model }) => model.name === encoder.model);
    if (other === undefined) throw new Error(`The plan names "${encoder.model}", which is not served.`);
    const begin = (): void => permit.begin(viewLoad(plan, canvas));
    return { batcher: other.batcher, permit: { ...permit, begin }, views: own };
  });
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

/** The tokens of one view, with the channels of all its hidden states. */
async function joinLayers(
  { tokenPool }: EncodingParts,
  resolved: ResolvedRequest,
  plan: Plan,
  { tokens }: ViewTokens,
): Promise<Uint8Array<ArrayBuffer>> {
  const [only] = tokens;
  if (only !== undefined && tokens.length === 1) return only;
  return await tokenPool.join(tokens, resolved.model.channels * dtypeBytes[viewDtype(resolved, plan)]);
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
