import type { Reservation } from '../admission/budget.ts';
import { abortFailure, failureOf, type StopSignal } from '../errors/abort.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { ImageOutcome } from '../tokens/formats/image-outcome.ts';
import { admitViews } from './admit-views.ts';
import { answerBytes, answerOf } from './answer.ts';
import { encodeImage } from './encode-image.ts';
import type { EncodedImage } from './encoded-image.ts';
import type { EncodingParts } from './encoding-parts.ts';
import { cachedTokens, findTokens, joinFlight, keysOf, readHeader } from './look-up.ts';
import type { NewImage, PlannedImage } from './planned-image.ts';
import type { EachRequest, EncodeAnswer, EncodeRequest } from './request.ts';
import { flightKey, type ResolvedRequest, resolveRequest } from './resolve-request.ts';
import { runAll } from './run-all.ts';

/**
 * Encodes a request's images into one answer: key, cache, flight under way, size from the header, plan, admit, start, wait,
 * answer. If one image fails, the request fails and the error names the image. Every rejection is a ServiceError.
 */
export async function encodeImages(
  parts: EncodingParts,
  request: EncodeRequest,
  resolved = resolveRequest(parts, request),
): Promise<EncodeAnswer> {
  const { images, stacked, signal } = request;
  const { options, terms, limitAnswer } = resolved;
  requireStackable(request);
  const planned = await forEachImage(images, signal, async (image, all, index): Promise<PlannedImage> => {
    const trace = traceOf(request, index);
    const { key, uuid } = await keysOf(parts, resolved, image);
    const tokens = await findTokens(parts, resolved, { image, key, trace }, all);
    const { size, headerMs } =
      tokens === undefined
        ? await readHeader(parts, resolved, image, trace)
        : { size: tokens.size, headerMs: 0 };
    return { image, key, uuid, tokens, size, headerMs, plan: resolved.plan(size), trace };
  });
  if (signal.aborted) throw abortFailure(signal);
  // Nothing else runs between here and the start, so nobody can join work that is then refused.
  const sizeBytes = planned.reduce((sum, { plan }) => sum + answerBytes(plan, options.dtype), 0);
  limitAnswer(sizeBytes);
  let reservation: Reservation | undefined;
  try {
    // Reserved as soon as it is planned, so that nothing is encoded in vain.
    reservation = parts.answerBudget.reserve(sizeBytes, terms.caller);
    const cached = planned.map(({ tokens, key }) => tokens ?? cachedTokens(parts, key));
    const missing = missingImages(parts, resolved, planned, cached);
    const permits = admitViews(parts, resolved, missing);
    const started = new Map<PlannedImage, Wait>();
    for (const [index, image] of missing.entries()) {
      const encode: Wait = (stop) => encodeImage(parts, resolved, image, permits[index]!, stop);
      const key = flightKey(resolved, image.key);
      // Work without a key cannot be joined by others: its one caller starts it.
      const flight = key === undefined ? { join: encode } : parts.flights.start(key, encode);
      started.set(image, (stop) => flight.join(stop));
    }
    const answered = await forEachImage(planned, signal, async (image, all, index) => {
      const own = cached[index] ?? started.get(image)?.(all);
      if (own !== undefined) return await own;
      const flight = parts.flights.find(flightKey(resolved, image.key))!;
      return await joinFlight(parts, flight, image.trace, all);
    });
    if (signal.aborted) throw abortFailure(signal);
    return answerOf(resolved, planned, answered, stacked, reservation);
  } catch (thrown) {
    // Other images of the request may still be answered.
    limitAnswer(-sizeBytes);
    reservation?.release();
    throw thrown;
  }
}

/** Encodes each image separately: a failed image stops no other. No outcome rejects. */
export function encodeEach(
  parts: EncodingParts,
  request: EachRequest,
): readonly Promise<ImageOutcome<EncodeAnswer>>[] {
  const { images, signal } = request;
  /** Shared, because all images together may be as large as one answer. */
  let resolved: ResolvedRequest | undefined;
  return images.map(async (image, index): Promise<ImageOutcome<EncodeAnswer>> => {
    try {
      resolved ??= resolveRequest(parts, request);
      const own = { ...request, images: [image], stacked: false, trace: traceOf(request, index) };
      return { kind: 'encoded', index, answer: await encodeImages(parts, own, resolved) };
    } catch (thrown) {
      return { kind: 'failed', index, error: failureOf(thrown, signal) };
    }
  });
}

/** Waits for one image's tokens. Call it at once: work that nobody waits for is abandoned. */
type Wait = (signal: StopSignal) => Promise<EncodedImage>;

/** The images that no cache has and nobody encodes yet. One that is in the request twice is in the list once. */
function missingImages(
  { flights }: EncodingParts,
  resolved: ResolvedRequest,
  images: readonly PlannedImage[],
  cached: readonly (EncodedImage | undefined)[],
): readonly NewImage[] {
  return images.filter((image, index): image is NewImage => {
    if (cached[index] !== undefined || image.image.kind === 'digest') return false;
    if (image.key === undefined) return true;
    const isSame = ({ key }: PlannedImage, at: number): boolean =>
      cached[at] === undefined && key === image.key;
    return images.findIndex(isSame) === index && flights.find(flightKey(resolved, image.key)) === undefined;
  });
}

/** Works on all images as `runAll` does. If there are several, an error names its image. */
function forEachImage<Image, T>(
  images: readonly Image[],
  signal: StopSignal,
  work: (image: Image, signal: StopSignal, index: number) => Promise<T>,
): Promise<T[]> {
  return runAll(images, signal, async (image, all, index) => {
    try {
      return await work(image, all, index);
    } catch (thrown) {
      const failure = failureOf(thrown, signal);
      if (images.length === 1 || signal.aborted) throw failure;
      throw failure.withMessage(`images[${index}]: ${failure.message}`);
    }
  });
}

function traceOf({ images, trace }: EachRequest, index: number): EachRequest['trace'] {
  return images.length === 1 ? trace : trace?.ofImage(index);
}

function requireStackable({ images, recipe: { recipe } }: EncodeRequest): void {
  if (images.length === 0) throw new ServiceError('invalid_argument', 'The request has no image.');
  if (recipe !== 'anyres' || images.length === 1) return;
  throw new ServiceError(
    'invalid_argument',
    'AnyRes answers differ in length and cannot be stacked: request safetensors, jsonl or vllm, or send one image per ' +
      'request.',
  );
}
