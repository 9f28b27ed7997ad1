import { abortFailure, failureOf } from '../errors/abort.ts';
import { allOrNone } from './all-or-none.ts';
import { AnswerRoom } from '../admission/answer-room.ts';
import { AnswerSum, refuseLargeAnswer } from './answer-sum.ts';
import { answerMetadata } from './answer.ts';
import type { ByteRoom } from '../admission/byte-budget.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { RequireSize } from '../image/read-size.ts';
import { selectModel } from '../model/select-model.ts';
import { planCost } from '../recipes/cost.ts';
import type { Size } from '../recipes/plan.ts';
import { planRecipe } from '../recipes/planner.ts';
import type { EncodeAnswer, EncodeOptions, EncodeRequest, PlanAnswer, PlanRequest } from './request.ts';
import type { RecipeOptions } from '../recipes/recipe-options.ts';
import { usualTerms } from '../admission/priority.ts';
import { type ResultParts, resultsOf } from './results.ts';
import { slowest } from '../telemetry/stage-timings.ts';
import { dtypeBytes } from '../tokens/tensor.ts';

/** The parts that a request passes through. */
export interface PipelineParts extends ResultParts {
  /** The served model that teaches where a request names none; the default when absent. */
  readonly teacher?: string;
  /** For answers from when they are planned until their callers have them. */
  readonly answers: ByteRoom;
  /** What `readSize` refuses, of sizes that are only planned. */
  readonly requireSize: RequireSize;
}

/**
 * A request's way, from images to tokens, for a caller that waits until `deadlineAt` by `parts.now()`. Every
 * rejection is a ServiceError. The answer holds room until its `release()`.
 */
export async function encodeImages(
  parts: PipelineParts,
  request: EncodeRequest,
  deadlineAt = Number.POSITIVE_INFINITY,
): Promise<EncodeAnswer> {
  const { images, recipe, options, stacked, signal, answer = new AnswerSum() } = request;
  const { model } = modelOf(parts, recipe, options);
  refuseUnstackable(request);
  const room = new AnswerRoom(parts.answers, (request.terms ?? usualTerms).caller);
  try {
    const waits = await resultsOf(
      parts,
      model,
      { ...request, answer, room, isPart: request.answer !== undefined },
      deadlineAt,
    );
    const results = await allOrNone(waits, signal, async (wait, all) => await wait(all));
    if (signal.aborted) throw abortFailure(signal);
    const sizes = results.map(({ size }) => size);
    const { plan } = planOf(parts, sizes[0]!, recipe, options);
    const imageBytes = results.map((result) => sumBytes(result.parts));
    answer.add(
      images.map((image, index) => [image, imageBytes[index]!]),
      parts.maxAnswerBytes,
    );
    room.fill(imageBytes.reduce((sum, bytes) => sum + bytes, 0));
    const metadata = answerMetadata({ model, plan, dtype: options.dtype, sizes, stacked });
    return {
      tensor: {
        shape: metadata.shape,
        dtype: options.dtype,
        parts: results.flatMap((result) => result.parts),
      },
      metadata,
      timings: slowest(results.map(({ timings }) => timings)),
      keys: results.flatMap(({ key }) => key ?? []),
      sources: results.map(({ source }) => source),
      release: () => room.release(),
    };
  } catch (thrown) {
    room.release();
    throw failureOf(thrown, signal);
  }
}

/**
 * What the same request would be answered with, for an image of that size. Throws what it would be refused with
 * however little there is to do.
 */
export function planAnswer(parts: PipelineParts, request: PlanRequest): PlanAnswer {
  const { size, recipe, options, terms = usualTerms } = request;
  parts.requireSize(size);
  const { model, plan } = planOf(parts, size, recipe, options);
  const { tokens, values, load } = planCost(plan);
  const bytes = values * dtypeBytes[options.dtype];
  refuseLargeAnswer(bytes, parts.maxAnswerBytes);
  parts.admission.requireRoomFor(load, terms);
  const outline = { model, plan, dtype: options.dtype, sizes: [size], stacked: false };
  return { metadata: answerMetadata(outline), tokens, sizeBytes: bytes };
}

/** Throws what is wrong with what is asked, whatever the image. */
export function validate(
  parts: PipelineParts,
  { recipe, options }: Pick<EncodeRequest, 'recipe' | 'options'>,
): void {
  planOf(parts, { width: 1, height: 1 }, recipe, options);
}

function planOf(parts: PipelineParts, size: Size, recipe: RecipeOptions, options: EncodeOptions) {
  const { model } = modelOf(parts, recipe, options);
  const models = parts.served.map((one) => one.model);
  return { model, plan: planRecipe(size, model, recipe, models) };
}

function sumBytes(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
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
