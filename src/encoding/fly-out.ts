import type { Admission, ViewsPermit } from '../admission/view-budget.ts';
import type { AnswerRoom } from '../admission/answer-room.ts';
import type { AnswerSum } from './answer-sum.ts';
import { failureOf } from '../errors/abort.ts';
import type { Flight, Flights } from './single-flight.ts';
import type { ResultCache } from './cache/token-cache.ts';
import type { SecondLevel } from './cache/remote-cache.ts';
import type { EncodedImage } from './encoded-image.ts';
import { encodeImage, type EncodingParts, type PlannedImage, type TimedImage } from './encode-image.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { ImageDigest, ImageInput } from '../image/image-input.ts';
import { noTime } from '../telemetry/stage-timings.ts';
import type { ReadSize } from '../image/read-size.ts';
import type { Model } from '../model/model.ts';
import { selectModel } from '../model/select-model.ts';
import { planCost } from '../recipes/cost.ts';
import type { Plan, Size } from '../recipes/plan.ts';
import { planRecipe } from '../recipes/planner.ts';
import type { EncodeOptions } from './request.ts';
import type { RecipeOptions } from '../recipes/recipe-options.ts';
import type { Place } from '../admission/priority.ts';
import type { Trace } from '../telemetry/trace.ts';
import { dtypeBytes } from '../tokens/tensor.ts';

/** The parts that encode what no cache has. */
export interface FlightParts extends EncodingParts {
  readonly flights: Flights<LandedImage>;
  readonly cache: ResultCache;
  /** Asked for what the cache has not, before anything is done. */
  readonly secondLevel?: SecondLevel;
  readonly admission: Admission;
  readonly maxAnswerBytes: number;
  readonly readSize: ReadSize;
}

/** An image that a request has to have encoded. */
export interface OwnFlight {
  readonly image: ImageInput | ImageDigest;
  /** Under which its tokens are kept. */
  readonly key: string | undefined;
  readonly flight: Flight<LandedImage>;
  /** Of the request that begins it. */
  readonly trace: Trace | undefined;
}

/** Tokens as those who wait for them get them. */
export interface LandedImage extends TimedImage {
  /** A hit where the second level had them. */
  readonly source: 'hit' | 'miss';
}

/** What is asked of all of a request's images. */
export interface Asked {
  readonly model: Model;
  readonly recipe: RecipeOptions;
  readonly options: EncodeOptions;
  readonly place: Place;
  readonly answer: AnswerSum;
  readonly room: AnswerRoom;
  /** Whether others' images are in the answer. */
  readonly isPart: boolean;
}

interface PlannedFlight extends OwnFlight {
  readonly planned: PlannedImage;
}

/**
 * Has a request's images encoded for whoever waits for them: what the second level has not, sizes and plans, room
 * for all or none, then each by itself.
 */
export async function flyOut(parts: FlightParts, own: readonly OwnFlight[], asked: Asked): Promise<void> {
  const planned = await Promise.all(own.map(async (one) => await plan(parts, one, asked)));
  const wanted = planned.flatMap((one) => (one === undefined || one.flight.signal.aborted ? [] : [one]));
  if (wanted.length === 0) return;
  let permits: readonly ViewsPermit[];
  try {
    permits = admit(parts, wanted, asked);
  } catch (thrown) {
    const error = ServiceError.from(thrown);
    // What a part of an answer is refused for depends on the other parts.
    const images = asked.isPart ? Number.POSITIVE_INFINITY : wanted.length;
    const beginner = { caller: asked.place.caller, images };
    for (const { flight } of wanted) flight.refuse(error, beginner);
    return;
  }
  for (const [index, one] of wanted.entries()) void fly(parts, one, permits[index]!, asked);
}

async function plan(
  { cache, secondLevel, readSize, served, now }: FlightParts,
  own: OwnFlight,
  { model, recipe, options, place: { caller } }: Asked,
): Promise<PlannedFlight | undefined> {
  const { image, key, flight, trace } = own;
  try {
    const models = served.map((one) => one.model);
    const asked = now();
    const planFor = (size: Size) => planRecipe(size, model, recipe, models);
    const kept = key === undefined ? undefined : await secondLevel?.get(key);
    if (key !== undefined && secondLevel !== undefined) trace?.stage('shared cache', asked, now());
    if (kept !== undefined && isOfPlan(kept, planFor, options)) {
      cache.set(key!, kept);
      flight.land({ ...kept, timings: noTime, source: 'hit' });
      return undefined;
    }
    if (image.kind === 'digest') {
      flight.refuse(
        new ServiceError('not_found', 'The cache has no such tokens of this image: send the image itself.'),
        { caller, images: 1 },
      );
      return undefined;
    }
    const start = now();
    const size = await readSize(image, options.exif);
    const readAt = now();
    trace?.stage('header', start, readAt);
    return { ...own, planned: { image, size, plan: planFor(size), headerMs: readAt - start, trace } };
  } catch (thrown) {
    flight.fail(failureOf(thrown, flight.signal));
    return undefined;
  }
}

/** Whether tokens from elsewhere are as many as the plan for an image of their size has; what is not is a miss. */
function isOfPlan(kept: EncodedImage, planFor: (size: Size) => Plan, { dtype }: EncodeOptions): boolean {
  const { width, height } = kept.size;
  if (!(width >= 1 && height >= 1)) return false;
  const sizeBytes = kept.parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return planCost(planFor(kept.size)).values * dtypeBytes[dtype] === sizeBytes;
}

/**
 * Batches take longer than the times measured as often as not, and decoding and sending are beside them. With callers
 * that all wait for as long, a full queue is as long as the door lets it be: what just fits would be late half the
 * time, its work for nothing.
 */
const deadlineMargin = 1.25;

/** Room for all views of all images. Throws where there is none, or not in time. */
function admit(
  { admission, served, maxAnswerBytes, now }: FlightParts,
  wanted: readonly PlannedFlight[],
  { model, options, place, answer, room }: Asked,
): readonly ViewsPermit[] {
  const costs = wanted.map(({ planned }) => {
    const cost = planCost(planned.plan);
    return { ...cost, bytes: cost.values * dtypeBytes[options.dtype] };
  });
  answer.add(
    wanted.map(({ image }, index) => [image, costs[index]!.bytes]),
    maxAnswerBytes,
  );
  const loads = costs.map(({ load }) => load);
  const { batcher } = selectModel(served, { model: model.name });
  const views = loads.reduce((sum, load) => sum + load, 0);
  const queueMs = batcher.expectedMs(admission.ahead(model.name, views, place), views) ?? 0;
  const expectedMs = queueMs * deadlineMargin;
  const leftMs = Math.max(...wanted.map(({ flight }) => flight.deadlineAt)) - now();
  if (leftMs <= 0) {
    throw new ServiceError('deadline_exceeded', 'The time for the request was over before its work began.', {
      bound: 'deadline',
    });
  }
  if (expectedMs > leftMs) {
    throw new ServiceError(
      'deadline_exceeded',
      `The answer is expected in ${Math.ceil(expectedMs)} ms, and the time for the request is over in ${Math.floor(leftMs)} ms.`,
      { bound: 'deadline' },
    );
  }
  room.take(costs.reduce((sum, { bytes }) => sum + bytes, 0));
  return admission.admit(loads, model.name, place);
}

async function fly(
  parts: FlightParts,
  { planned, key, flight }: PlannedFlight,
  permit: ViewsPermit,
  { model, options }: Asked,
): Promise<void> {
  const { signal } = flight;
  try {
    const encoded = await encodeImage(parts, model.name, permit, planned, options, signal).finally(() =>
      permit.release(),
    );
    if (key !== undefined) {
      const image = { size: encoded.size, parts: encoded.parts };
      parts.cache.set(key, image);
      parts.secondLevel?.set(key, image);
    }
    flight.land({ ...encoded, source: 'miss' });
  } catch (thrown) {
    flight.fail(failureOf(thrown, signal));
  }
}
