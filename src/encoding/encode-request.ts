import type { Reservation } from '../admission/budget.ts';
import { abortFailure, failureOf, type StopSignal } from '../errors/abort.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { ImageOutcome } from '../tokens/formats/image-outcome.ts';
import { admitViews } from './admit-views.ts';
import { answerBytes, answerOf } from './answer.ts';
import { encodeImage } from './encode-image.ts';
import type { AnsweredImage, EncodedImage } from './encoded-image.ts';
import type { EncodingParts } from './encoding-parts.ts';
import {
  forImage,
  type ImageRequest,
  keyImages,
  type NewImage,
  type Planned,
  type SizedImage,
} from './image-request.ts';
import { joinFlight } from './join-flight.ts';
import { cachedTokens, lookUp } from './look-up.ts';
import { planImage } from './plan-image.ts';
import type { EachRequest, EncodeAnswer, EncodeRequest } from './request.ts';
import { flightKey, type ResolvedRequest, resolveRequest } from './resolve-request.ts';
import { runAll } from './run-all.ts';

/** Waits for one image's tokens. Call it at once: work that nobody waits for is abandoned. */
type Wait = (signal: StopSignal) => Promise<AnsweredImage>;
type Encode = (signal: StopSignal) => Promise<EncodedImage>;

/**
 * Encodes a request's images into one answer, for a caller that waits until `deadlineAt` by `parts.now()`. If one image
 * fails, the request fails and the error names the image. Every rejection is a ServiceError.
 */
export async function encodeImages(
  parts: EncodingParts,
  request: EncodeRequest,
  deadlineAt?: number,
): Promise<EncodeAnswer> {
  const { images, stacked, trace, signal } = request;
  const resolved = resolveRequest(parts, request, deadlineAt);
  refuseUnstackable(request);
  const keyed = await keyImages(parts, resolved, images, trace);
  return await encodeTogether(parts, resolved, keyed, stacked, signal);
}

/** Encodes each image separately: a failed image stops no other. No outcome rejects. */
export function encodeEach(
  parts: EncodingParts,
  request: EachRequest,
  deadlineAt?: number,
): readonly Promise<ImageOutcome<EncodeAnswer>>[] {
  const { images, trace, signal } = request;
  const start = async () => {
    const resolved = resolveRequest(parts, request, deadlineAt);
    return { resolved, keyed: await keyImages(parts, resolved, images, trace) };
  };
  const started = start();
  return images.map(async (_, index): Promise<ImageOutcome<EncodeAnswer>> => {
    try {
      const { resolved, keyed } = await started;
      const image = { ...keyed[index]!, name: undefined };
      return {
        kind: 'encoded',
        index,
        answer: await encodeTogether(parts, resolved, [image], false, signal),
      };
    } catch (thrown) {
      return { kind: 'failed', index, error: failureOf(thrown, signal) };
    }
  });
}

/** Encodes the images of one answer: looks them up, plans, admits, starts and waits. */
async function encodeTogether(
  parts: EncodingParts,
  resolved: ResolvedRequest,
  images: readonly ImageRequest[],
  stacked: boolean,
  signal: StopSignal,
): Promise<EncodeAnswer> {
  const planned = await runAll(images, signal, (image, all) =>
    forImage(image, signal, async (): Promise<Planned<SizedImage>> => {
      const sized = await lookUp(parts, resolved, image, all);
      return { ...sized, plan: planImage(parts, resolved, sized.size) };
    }),
  );
  if (signal.aborted) throw abortFailure(signal);
  // Nothing else runs between here and the start, so nobody can join work that is then refused.
  const reservation = reserveAnswer(parts, resolved, planned);
  try {
    const waits = admitAndStart(parts, resolved, planned);
    const answered = await runAll(planned, signal, (image, all, index) =>
      forImage(image, signal, () => waits[index]!(all)),
    );
    if (signal.aborted) throw abortFailure(signal);
    return answerOf(resolved, planned, answered, stacked, reservation);
  } catch (thrown) {
    resolved.limitAnswer(-reservation.amount);
    reservation.release();
    throw thrown;
  }
}

/** Reserves the answer's bytes as soon as it is planned, so that nothing is encoded in vain. */
function reserveAnswer(
  { answerBudget }: EncodingParts,
  { options, terms, limitAnswer }: ResolvedRequest,
  images: readonly Planned<SizedImage>[],
): Reservation {
  const sizeBytes = images.reduce((sum, { plan }) => sum + answerBytes(plan, options.dtype), 0);
  limitAnswer(sizeBytes);
  try {
    return answerBudget.reserve(sizeBytes, terms.caller);
  } catch (thrown) {
    // Other images of the request may still be answered.
    limitAnswer(-sizeBytes);
    throw thrown;
  }
}

/** Admits all images that nobody encodes yet, or none, and starts them. Returns the wait for each image's tokens. */
function admitAndStart(
  parts: EncodingParts,
  resolved: ResolvedRequest,
  images: readonly Planned<SizedImage>[],
): readonly Wait[] {
  const { flights } = parts;
  // Another request may have cached an image since the look-up. An image that is in the request twice starts once.
  const cached = images.map(({ tokens, key }) => tokens ?? cachedTokens(parts, key));
  const isFirst = (key: string | undefined, index: number): boolean =>
    key === undefined || images.findIndex((other) => other.key === key) === index;
  const missing = images.filter(
    (image, index): image is Planned<NewImage> =>
      cached[index] === undefined &&
      image.tokens === undefined &&
      flights.find(flightKey(resolved, image.key)) === undefined &&
      isFirst(image.key, index),
  );
  const permits = admitViews(
    parts,
    resolved,
    missing.map(({ plan }) => plan),
  );
  const started = new Map<Planned<SizedImage>, Encode>();
  for (const [index, image] of missing.entries()) {
    const encode: Encode = (signal) => encodeImage(parts, resolved, image, permits[index]!, signal);
    const key = flightKey(resolved, image.key);
    // Without a key nobody can join.
    const flight = key === undefined ? undefined : flights.start(key, encode);
    started.set(image, flight === undefined ? encode : (signal) => flight.join(signal));
  }
  return images.map((image, index): Wait => {
    const tokens = cached[index];
    if (tokens !== undefined) return async () => tokens;
    const own = started.get(image);
    if (own !== undefined) return async (signal) => ({ ...(await own(signal)), source: 'miss' });
    const underWay = flights.find(flightKey(resolved, image.key))!;
    return (signal) => joinFlight(parts, underWay, image.trace, signal);
  });
}

function refuseUnstackable({ images, recipe: { recipe } }: EncodeRequest): void {
  if (images.length === 0) throw new ServiceError('invalid_argument', 'The request has no image.');
  if (recipe !== 'anyres' || images.length === 1) return;
  throw new ServiceError(
    'invalid_argument',
    'AnyRes answers differ in length and cannot be stacked: request safetensors, jsonl or vllm, or send one image per ' +
      'request.',
  );
}
