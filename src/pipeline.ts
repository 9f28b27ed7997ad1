import { abortFailure } from './abort.ts';
import { allOrNone, failureOf } from './all-or-none.ts';
import { answerMetadata } from './answer.ts';
import type { ByteRoom } from './byte-room.ts';
import { ServiceError } from './errors.ts';
import { refuseLargeAnswer } from './fly-out.ts';
import type { RequireSize } from './image/read-size.ts';
import { selectModel } from './model/models.ts';
import { planCost } from './recipes/cost.ts';
import { planRecipe } from './recipes/planner.ts';
import type {
  EncodeAnswer,
  EncodeOptions,
  EncodeRequest,
  PlanAnswer,
  PlanRequest,
  RecipeOptions,
} from './request.ts';
import { type ResultParts, resultsOf } from './results.ts';
import { slowest } from './timings.ts';

/** The parts that a request passes through. */
export interface PipelineParts extends ResultParts {
  /** The served model that teaches where a request names none; the default when absent. */
  readonly teacher?: string;
  /** For answers from when they are made until their callers have them. */
  readonly answers: ByteRoom;
  /** What `readSize` refuses, of sizes that are only planned. */
  readonly requireSize: RequireSize;
}

/**
 * A request's way, from images to tokens, for a caller that waits until `deadlineAt` by `parts.now()`. Every rejection is
 * a ServiceError. The answer holds room until its `release()`.
 */
export async function encodeImages(
  parts: PipelineParts,
  request: EncodeRequest,
  deadlineAt = Number.POSITIVE_INFINITY,
): Promise<EncodeAnswer> {
  const { recipe, options, stacked, signal } = request;
  const { model } = modelOf(parts, recipe, options);
  const models = parts.served.map((one) => one.model);
  refuseUnstackable(request);
  try {
    const waits = await resultsOf(parts, model, request, deadlineAt);
    const results = await allOrNone(waits, signal, async (wait, all) => await wait(all));
    if (signal.aborted) throw abortFailure(signal);
    const sizes = results.map(({ size }) => size);
    const plan = planRecipe(sizes[0]!, model, recipe, models);
    const tensorParts = results.flatMap((result) => result.parts);
    const sizeBytes = tensorParts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    refuseLargeAnswer(sizeBytes, parts.maxAnswerBytes);
    const metadata = answerMetadata({ model, plan, dtype: options.dtype, sizes, stacked });
    return {
      tensor: { shape: metadata.shape, dtype: options.dtype, parts: tensorParts },
      metadata,
      timings: slowest(results.map(({ timings }) => timings)),
      keys: results.flatMap(({ key }) => key ?? []),
      sources: results.map(({ source }) => source),
      release: parts.answers.admit(sizeBytes),
    };
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
