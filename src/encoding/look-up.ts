import type { StopSignal } from '../errors/abort.ts';
import { ServiceError } from '../errors/service-error.ts';
import { noTime } from '../telemetry/stage-timings.ts';
import { byteLengthOf } from '../tokens/tensor.ts';
import { answerBytes } from './answer.ts';
import type { AnsweredImage, ImageTokens } from './encoded-image.ts';
import type { EncodingParts } from './encoding-parts.ts';
import type { ImageRequest, SizedImage } from './image-request.ts';
import { joinFlight } from './join-flight.ts';
import { planImage } from './plan-image.ts';
import { flightKey, type ResolvedRequest } from './resolve-request.ts';

/**
 * Looks an image up: its tokens if a cache has them, otherwise the size in its header. Throws what `readSize` throws, and
 * `not_found` for a digest without tokens in a cache and without work under way.
 */
export async function lookUp(
  parts: EncodingParts,
  resolved: ResolvedRequest,
  request: ImageRequest,
  signal: StopSignal,
): Promise<SizedImage> {
  const { image, trace } = request;
  const tokens = await findTokens(parts, resolved, request, signal);
  if (tokens !== undefined) return { ...request, size: tokens.size, tokens };
  if (image.kind === 'digest') {
    throw new ServiceError(
      'not_found',
      'The cache does not have these tokens of this image: send the image itself.',
    );
  }
  const start = parts.now();
  const size = await parts.readSize(image, resolved.options.exif);
  const readAt = parts.now();
  trace?.stage('header', start, readAt);
  return { ...request, image, size, headerMs: readAt - start };
}

async function findTokens(
  parts: EncodingParts,
  resolved: ResolvedRequest,
  { image, key, trace }: ImageRequest,
  signal: StopSignal,
): Promise<AnsweredImage | undefined> {
  if (key === undefined) return undefined;
  const cached = cachedTokens(parts, key);
  if (cached !== undefined) return cached;
  const flight = parts.flights.find(flightKey(resolved, key));
  // An image that was sent joins the flight later, once its answer is planned and reserved.
  if (flight !== undefined) {
    return image.kind === 'digest' ? await joinFlight(parts, flight, trace, signal) : undefined;
  }
  if (parts.remoteCache === undefined) return undefined;
  const startMs = parts.now();
  const shared = await parts.remoteCache.get(key);
  trace?.stage('shared cache', startMs, parts.now());
  if (shared === undefined || !isWhole(parts, resolved, shared)) return undefined;
  parts.cache.set(key, shared);
  return { ...shared, timings: noTime, source: 'hit' };
}

/** Tokens in this process's own cache. */
export function cachedTokens({ cache }: EncodingParts, key: string | undefined): AnsweredImage | undefined {
  const cached = key === undefined ? undefined : cache.get(key);
  return cached === undefined ? undefined : { ...cached, timings: noTime, source: 'hit' };
}

/** Whether tokens from a remote cache have the size that the plan of their image has. */
function isWhole(
  parts: EncodingParts,
  resolved: ResolvedRequest,
  { size, parts: tokens }: ImageTokens,
): boolean {
  if (!(size.width >= 1 && size.height >= 1)) return false;
  const plan = planImage(parts, resolved, size);
  return answerBytes(plan, resolved.options.dtype) === byteLengthOf(tokens);
}
