import { ServiceError } from '../errors/service-error.ts';
import { planRecipe } from '../recipes/planner.ts';
import { noTime } from '../telemetry/stage-timings.ts';
import { byteLengthOf } from '../tokens/tensor.ts';
import { answerBytes } from './answer.ts';
import type { AnsweredImage, ImageTokens } from './encoded-image.ts';
import type { EncodingParts } from './encoding-parts.ts';
import type { ImageRequest, SizedImage } from './image-request.ts';
import { joinFlight } from './join-flight.ts';
import { flightKey, type ResolvedRequest } from './resolve-request.ts';

/**
 * What is known of an image before it is decoded: its tokens where a cache has them, otherwise its size by its header.
 * Throws `not_found` for a digest whose tokens neither a cache nor work under way has, and what `readSize` throws.
 */
export async function lookUp(
  parts: EncodingParts,
  resolved: ResolvedRequest,
  request: ImageRequest,
  signal: AbortSignal,
): Promise<SizedImage> {
  const { image, trace } = request;
  const tokens = await findTokens(parts, resolved, request, signal);
  if (tokens !== undefined) return { ...request, size: tokens.size, tokens };
  if (image.kind === 'digest') {
    throw new ServiceError('not_found', 'The cache has no such tokens of this image: send the image itself.');
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
  signal: AbortSignal,
): Promise<AnsweredImage | undefined> {
  if (key === undefined) return undefined;
  const kept = keptTokens(parts, key);
  if (kept !== undefined) return kept;
  const flight = parts.flights.find(flightKey(resolved, key));
  // A file waits for it only once its own size is known and its answer has room.
  if (flight !== undefined)
    return image.kind === 'digest' ? await joinFlight(parts, flight, trace, signal) : undefined;
  if (parts.remoteCache === undefined) return undefined;
  const askedAt = parts.now();
  const shared = await parts.remoteCache.get(key);
  trace?.stage('shared cache', askedAt, parts.now());
  if (shared === undefined || !isWhole(parts, resolved, shared)) return undefined;
  parts.cache.set(key, shared);
  return { ...shared, timings: noTime, source: 'hit' };
}

/** Tokens that this process keeps. */
export function keptTokens({ cache }: EncodingParts, key: string | undefined): AnsweredImage | undefined {
  const kept = key === undefined ? undefined : cache.get(key);
  return kept === undefined ? undefined : { ...kept, timings: noTime, source: 'hit' };
}

/** Whether tokens from elsewhere are as many as the plan for their image has. */
function isWhole(
  { served }: EncodingParts,
  { model, recipe, options }: ResolvedRequest,
  { size, parts }: ImageTokens,
): boolean {
  if (!(size.width >= 1 && size.height >= 1)) return false;
  const models = served.map((one) => one.model);
  return answerBytes(planRecipe(size, model, recipe, models), options.dtype) === byteLengthOf(parts);
}
