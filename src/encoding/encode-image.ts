import { together } from './all-or-none.ts';
import type { ViewsPermit } from '../admission/view-budget.ts';
import type { EncodedImage } from './encoded-image.ts';
import type { ImageInput } from '../image/image-input.ts';
import type { ViewPool } from '../image/view-pool.ts';
import type { ViewTokens, WantedTokens } from '../inference/batcher.ts';
import type { ServedModel } from '../inference/served-model.ts';
import type { GraphDtype } from '../model/graph-io.ts';
import { selectModel } from '../model/select-model.ts';
import type { Plan, Size } from '../recipes/plan.ts';
import type { EncodeOptions } from './request.ts';
import type { StageTimings } from '../telemetry/stage-timings.ts';
import type { TokenDtype } from '../tokens/tensor.ts';
import type { TokenPool } from '../tokens/token-pool.ts';
import type { Trace } from '../telemetry/trace.ts';

/** The parts that an image passes through, from its bytes to its tokens. */
export interface EncodingParts {
  /** The default first. */
  readonly served: readonly Pick<ServedModel, 'model' | 'batcher'>[];
  readonly viewPool: ViewPool;
  readonly tokenPool: Pick<TokenPool, 'assemble' | 'bfloat16'>;
  readonly now: () => number;
}

/** An image of known size, and what to make of it. */
export interface PlannedImage {
  readonly image: ImageInput;
  readonly size: Size;
  readonly plan: Plan;
  /** Time to read the header: part of decoding. */
  readonly headerMs: number;
  readonly trace: Trace | undefined;
}

/** Tokens and what they took. */
export interface TimedImage extends EncodedImage {
  readonly timings: StageTimings;
}

/** Decodes an image, cuts its views, has `model` encode them, and puts their tokens together. */
export async function encodeImage(
  parts: EncodingParts,
  model: string,
  permit: ViewsPermit,
  { image, size, plan, headerMs, trace }: PlannedImage,
  { dtype, exif }: EncodeOptions,
  signal: AbortSignal,
): Promise<TimedImage> {
  const { now } = parts;
  const request = { image, exif, size, plan, place: permit };
  const asked = now();
  const { views, waitMs, decodeMs, cutMs } = await parts.viewPool.make(request, signal);
  const joined = now();
  trace?.stage('wait to decode', asked, asked + waitMs);
  trace?.stage('decode', joined - cutMs - decodeMs, joined - cutMs);
  trace?.stage('views', joined - cutMs, joined);
  const wanted = { dtype: graphDtype(plan, dtype), trace };
  const encoded = await encodeViews(parts, model, permit, plan, views, wanted, signal);
  if (trace !== undefined) traceBatches(trace, joined, encoded);
  const assembling = now();
  const tokens = await assemble(
    parts,
    plan,
    encoded.map(({ tokens: view }) => view),
    dtype,
  );
  const assembled = now();
  trace?.stage('assemble', assembling, assembled);
  return {
    size,
    parts: tokens,
    timings: {
      decodeMs: headerMs + decodeMs,
      viewsMs: cutMs,
      queueMs: waitMs + Math.max(...encoded.map(({ queueMs }) => queueMs)),
      engineMs: Math.max(...encoded.map(({ engineMs }) => engineMs)),
      assembleMs: assembled - assembling,
    },
  };
}

/** The views' tokens in the plan's order; each canvas's views join the batches of the model that encodes it. */
async function encodeViews(
  { served }: EncodingParts,
  model: string,
  permit: ViewsPermit,
  { canvases }: Plan,
  views: readonly Uint8Array<ArrayBuffer>[],
  wanted: WantedTokens,
  signal: AbortSignal,
): Promise<ViewTokens[]> {
  const batcherOf = (name: string) => selectModel(served, { model: name }).batcher;
  if (canvases.every(({ encoder }) => encoder === undefined)) {
    return await batcherOf(model).encode(permit, views, wanted, signal);
  }
  let from = 0;
  const parts = canvases.map(({ encoder, views: { length } }) => {
    const own = views.slice(from, (from += length));
    return { own, batcher: batcherOf(encoder?.model ?? model) };
  });
  const encoded = await together(parts, signal, ({ own, batcher }, all) =>
    batcher.encode(permit, own, wanted, all),
  );
  return encoded.flat();
}

/** The wait, and each batch that had views of the image, which joined the queue together. */
function traceBatches(trace: Trace, joined: number, encoded: readonly ViewTokens[]): void {
  const batches = new Map(encoded.map((view) => [view.queueMs, view.engineMs]));
  trace.stage('queue', joined, joined + Math.max(...batches.keys()));
  for (const [queueMs, engineMs] of batches) {
    const started = joined + queueMs;
    trace.stage('engine', started, started + engineMs);
  }
}

/** What to ask the graph for: float32 wherever arithmetic follows, so that it is rounded once. */
function graphDtype({ assembly }: Plan, dtype: TokenDtype): GraphDtype {
  const isUntouched = assembly.kind === 'single' || assembly.kind === 'stack';
  return isUntouched && dtype === 'float16' ? 'float16' : 'float32';
}

/** The views' tokens as the answer's parts, in order. */
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
