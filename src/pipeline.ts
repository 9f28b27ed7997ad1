import { abortFailure, eitherSignal } from './abort.ts';
import type { Admission, ViewsPermit } from './admission.ts';
import { answerMetadata } from './answer.ts';
import { ServiceError } from './errors.ts';
import type { ImageInput } from './image/image-input.ts';
import type { ReadSize, RequireSize } from './image/read-size.ts';
import type { ViewPool } from './image/view-pool.ts';
import type { ViewTokens } from './inference/batcher.ts';
import type { GraphDtype } from './model/graph-io.ts';
import type { ServedModel } from './inference/served-model.ts';
import { selectModel } from './model/models.ts';
import { planCost } from './recipes/cost.ts';
import type { Plan, Size } from './recipes/plan.ts';
import { planRecipe } from './recipes/planner.ts';
import type {
  EncodeAnswer,
  EncodeOptions,
  EncodeRequest,
  PlanAnswer,
  PlanRequest,
  RecipeOptions,
  StageTimings,
} from './request.ts';
import type { TokenDtype } from './tokens/tensor.ts';
import type { TokenPool } from './tokens/token-pool.ts';

/** The parts that a request passes through. */
export interface PipelineParts {
  /** The default first. */
  readonly served: readonly Pick<ServedModel, 'model' | 'batcher'>[];
  /** The served model that teaches where a request names none; the default when absent. */
  readonly teacher?: string;
  readonly admission: Admission;
  readonly maxAnswerBytes: number;
  readonly readSize: ReadSize;
  /** What `readSize` refuses, of sizes that are only planned. */
  readonly requireSize: RequireSize;
  readonly viewPool: ViewPool;
  readonly tokenPool: Pick<TokenPool, 'assemble' | 'bfloat16'>;
  readonly now: () => number;
}

interface PlannedImage {
  readonly image: ImageInput;
  readonly size: Size;
  readonly plan: Plan;
  /** Time to read the header: part of decoding. */
  readonly headerMs: number;
}

interface EncodedImage {
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  readonly timings: StageTimings;
}

/** A request's way, from images to tokens. Every rejection is a ServiceError. */
export async function encodeImages(parts: PipelineParts, request: EncodeRequest): Promise<EncodeAnswer> {
  const { images, recipe, options, stacked, signal } = request;
  const { model } = modelOf(parts, recipe, options);
  const models = parts.served.map((one) => one.model);
  refuseUnstackable(request);
  try {
    const planned = await allOrNone(images, signal, async (image) => {
      const start = parts.now();
      const size = await parts.readSize(image, options.exif);
      return { image, size, plan: planRecipe(size, model, recipe, models), headerMs: parts.now() - start };
    });
    const permit = admit(parts, planned, options);
    try {
      const encoded = await allOrNone(planned, signal, (one, all) =>
        encodeImage(parts, model.name, permit, one, options, all),
      );
      const sizes = planned.map(({ size }) => size);
      const { plan } = planned[0]!;
      const metadata = answerMetadata({ model, plan, dtype: options.dtype, sizes, stacked });
      return {
        tensor: {
          shape: metadata.shape,
          dtype: options.dtype,
          parts: encoded.flatMap((one) => one.parts),
        },
        metadata,
        timings: slowest(encoded.map(({ timings }) => timings)),
      };
    } finally {
      permit.release();
    }
  } catch (thrown) {
    throw failureOf(thrown, signal);
  }
}

/** What the same request would be answered with, for an image of that size. Throws ServiceErrors. */
export function planAnswer(parts: PipelineParts, request: PlanRequest): PlanAnswer {
  const { size, recipe, options } = request;
  parts.requireSize(size);
  const { model } = modelOf(parts, recipe, options);
  const models = parts.served.map((one) => one.model);
  const plan = planRecipe(size, model, recipe, models);
  const { tokens, bytes } = planCost(plan, options.dtype);
  refuseLargeAnswer(bytes, parts.maxAnswerBytes);
  const outline = { model, plan, dtype: options.dtype, sizes: [size], stacked: false };
  return { metadata: answerMetadata(outline), tokens, sizeBytes: bytes };
}

function modelOf({ served, teacher }: PipelineParts, { recipe }: RecipeOptions, options: EncodeOptions) {
  const isTeacher = recipe === 'teacher' && options.model === undefined && teacher !== undefined;
  return selectModel(served, isTeacher ? { ...options, model: teacher } : options);
}

function refuseUnstackable({ images, recipe: { recipe } }: EncodeRequest): void {
  if (images.length === 0) throw new ServiceError('invalid_argument', 'The request has no image.');
  if (recipe !== 'anyres' || images.length === 1) return;
  throw new ServiceError(
    'invalid_argument',
    'AnyRes answers differ in length, so several images do not stack: ask for safetensors or jsonl, or send one ' +
      'image a request.',
  );
}

/** Room for all views of the request at once. */
function admit(
  { admission, maxAnswerBytes }: PipelineParts,
  planned: readonly PlannedImage[],
  { dtype }: EncodeOptions,
): ViewsPermit {
  const costs = planned.map(({ plan }) => planCost(plan, dtype));
  refuseLargeAnswer(
    costs.reduce((sum, { bytes }) => sum + bytes, 0),
    maxAnswerBytes,
  );
  return admission.admit(costs.reduce((sum, { load }) => sum + load, 0));
}

function refuseLargeAnswer(sizeBytes: number, maxAnswerBytes: number): void {
  if (sizeBytes <= maxAnswerBytes) return;
  const [size, limit] = [sizeBytes, maxAnswerBytes].map((value) => value.toLocaleString('en-US'));
  throw new ServiceError('too_large', `The answer would have ${size} bytes; at most ${limit} are answered.`);
}

async function encodeImage(
  parts: PipelineParts,
  model: string,
  permit: ViewsPermit,
  { image, size, plan, headerMs }: PlannedImage,
  { dtype, exif }: EncodeOptions,
  signal: AbortSignal,
): Promise<EncodedImage> {
  const { now } = parts;
  const { views, waitMs, decodeMs, cutMs } = await parts.viewPool.make({ image, exif, size, plan }, signal);
  const encoded = await encodeViews(parts, model, permit, plan, views, graphDtype(plan, dtype), signal);
  const assembling = now();
  const tokens = await assembled(
    parts,
    plan,
    encoded.map(({ tokens: view }) => view),
    dtype,
  );
  return {
    parts: tokens,
    timings: {
      decodeMs: headerMs + decodeMs,
      viewsMs: cutMs,
      queueMs: waitMs + Math.max(...encoded.map(({ queueMs }) => queueMs)),
      engineMs: Math.max(...encoded.map(({ engineMs }) => engineMs)),
      assembleMs: now() - assembling,
    },
  };
}

/** The views' tokens in the plan's order; each canvas's views join the batches of the model that encodes it. */
async function encodeViews(
  { served }: PipelineParts,
  model: string,
  permit: ViewsPermit,
  { canvases }: Plan,
  views: readonly Uint8Array<ArrayBuffer>[],
  dtype: GraphDtype,
  signal: AbortSignal,
): Promise<ViewTokens[]> {
  const batcherOf = (name: string) => selectModel(served, { model: name }).batcher;
  if (canvases.every(({ encoder }) => encoder === undefined)) {
    return await batcherOf(model).encode(permit, views, dtype, signal);
  }
  let from = 0;
  const parts = canvases.map(({ encoder, views: { length } }) => {
    const own = views.slice(from, (from += length));
    return { own, batcher: batcherOf(encoder?.model ?? model) };
  });
  const encoded = await together(parts, signal, ({ own, batcher }, all) =>
    batcher.encode(permit, own, dtype, all),
  );
  return encoded.flat();
}

/** What to ask the graph for: float32 wherever arithmetic follows, so that it is rounded once. */
function graphDtype({ assembly }: Plan, dtype: TokenDtype): GraphDtype {
  const isUntouched = assembly.kind === 'single' || assembly.kind === 'stack';
  return isUntouched && dtype === 'float16' ? 'float16' : 'float32';
}

/** The views' tokens as the answer's parts, in order. */
async function assembled(
  { tokenPool }: PipelineParts,
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

/**
 * Runs `work` on every image at once; when one fails the others are stopped and its error, naming the image when
 * there are several, is the request's.
 */
async function allOrNone<Image, T>(
  images: readonly Image[],
  signal: AbortSignal,
  work: (image: Image, signal: AbortSignal) => Promise<T>,
): Promise<T[]> {
  const [only] = images;
  if (only !== undefined && images.length === 1) return [await work(only, signal)];
  return await together([...images.entries()], signal, async ([index, image], all) => {
    try {
      return await work(image, all);
    } catch (thrown) {
      throw naming(failureOf(thrown, signal), index);
    }
  });
}

/**
 * Runs `work` on all at once; when one fails the others are stopped. Rejects with the first failure, but only when all
 * have ended: what they hold is free again when the caller frees what it holds for them.
 */
async function together<Item, T>(
  items: readonly Item[],
  signal: AbortSignal,
  work: (item: Item, signal: AbortSignal) => Promise<T>,
): Promise<T[]> {
  const others = new AbortController();
  const all = eitherSignal(signal, others.signal);
  const failures: unknown[] = [];
  const outcomes = await Promise.allSettled(
    items.map((item) =>
      work(item, all).catch((thrown: unknown) => {
        failures.push(thrown);
        others.abort(thrown);
        throw thrown;
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}

function naming(error: ServiceError, index: number): ServiceError {
  return new ServiceError(error.code, `images[${index}]: ${error.message}`, {
    cause: error.cause,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}

/** What the caller's own leaving or deadline brought about is told as that. */
function failureOf(thrown: unknown, signal: AbortSignal): ServiceError {
  if (thrown instanceof ServiceError || !signal.aborted) return ServiceError.from(thrown);
  return abortFailure(signal);
}

function slowest(timings: readonly StageTimings[]): StageTimings {
  const most = (stage: keyof StageTimings) => Math.max(...timings.map((timing) => timing[stage] ?? 0));
  return {
    decodeMs: most('decodeMs'),
    viewsMs: most('viewsMs'),
    queueMs: most('queueMs'),
    engineMs: most('engineMs'),
    assembleMs: most('assembleMs'),
  };
}
