import type { StopSignal } from '../errors/abort.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { ImageDigest, ImageInput } from '../image/raster.ts';
import { noTime } from '../telemetry/stage-timings.ts';
import type { Trace } from '../telemetry/trace.ts';
import { byteLengthOf } from '../tokens/tensor.ts';
import { answerBytes } from './answer.ts';
import { imageDigest } from './cache/image-digest.ts';
import { tokenKey, tokenUuid } from './cache/token-key.ts';
import type { EncodedImage, ImageTokens } from './encoded-image.ts';
import type { EncodingParts } from './encoding-parts.ts';
import type { PlannedImage } from './planned-image.ts';
import { flightKey, type ResolvedRequest } from './resolve-request.ts';
import type { Flight } from './single-flight.ts';

/** Determines the keys of an image's tokens, as far as the request needs them. */
export async function keysOf(
  { served, shareCache }: EncodingParts,
  { model, recipe, options, terms, hasUuids }: ResolvedRequest,
  image: ImageInput | ImageDigest,
): Promise<Pick<PlannedImage, 'key' | 'uuid'>> {
  // A request by digest asks for cached tokens, even with no-store.
  const isCached = !terms.noStore || image.kind === 'digest';
  if (!isCached && !hasUuids) return { key: undefined, uuid: undefined };
  const models = served.map((one) => one.model);
  const content = { image: await imageDigest(image), model, models, recipe, options };
  const owner = shareCache ? undefined : terms.caller.name;
  return {
    key: isCached ? tokenKey({ ...content, owner }) : undefined,
    uuid: hasUuids ? tokenUuid(content) : undefined,
  };
}

/**
 * Finds tokens in the caches. For a digest, waits for work under way. An image that was sent joins such work later, once
 * its answer is planned and reserved.
 */
export async function findTokens(
  parts: EncodingParts,
  resolved: ResolvedRequest,
  { image, key, trace }: Pick<PlannedImage, 'image' | 'key' | 'trace'>,
  signal: StopSignal,
): Promise<EncodedImage | undefined> {
  if (key === undefined) return undefined;
  const cached = cachedTokens(parts, key);
  if (cached !== undefined) return cached;
  const flight = parts.flights.find(flightKey(resolved, key));
  if (flight !== undefined) {
    return image.kind === 'digest' ? await joinFlight(parts, flight, trace, signal) : undefined;
  }
  if (parts.remoteCache === undefined) return undefined;
  const startMs = parts.now();
  const shared = await parts.remoteCache.get(key);
  trace?.stage('shared cache', startMs, parts.now());
  if (shared === undefined || !isWhole(resolved, shared)) return undefined;
  parts.cache.set(key, shared);
  return { timings: noTime, source: 'hit', ...shared };
}

/** Tokens in this process's own cache. */
export function cachedTokens({ cache }: EncodingParts, key: string | undefined): EncodedImage | undefined {
  const cached = key === undefined ? undefined : cache.get(key);
  return cached === undefined ? undefined : { timings: noTime, source: 'hit', ...cached };
}

/** Waits for tokens that another request is encoding. The whole wait counts as time in the queue. */
export async function joinFlight(
  { now }: EncodingParts,
  flight: Flight<EncodedImage>,
  trace: Trace | undefined,
  signal: StopSignal,
): Promise<EncodedImage> {
  const start = now();
  const { size, parts } = await flight.join(signal);
  trace?.stage('joined', start, now());
  return { size, parts, source: 'joined', timings: { ...noTime, queueMs: now() - start } };
}

/** Reads an image's size from its header. Throws what `readSize` throws, and `not_found` for a digest. */
export async function readHeader(
  { readSize, now }: EncodingParts,
  { options }: ResolvedRequest,
  image: ImageInput | ImageDigest,
  trace: Trace | undefined,
): Promise<Pick<PlannedImage, 'size' | 'headerMs'>> {
  if (image.kind === 'digest') {
    throw new ServiceError(
      'not_found',
      'The cache does not have these tokens of this image: send the image itself.',
    );
  }
  const start = now();
  const size = await readSize(image, options.exif);
  const readAt = now();
  trace?.stage('header', start, readAt);
  return { size, headerMs: readAt - start };
}

/** Whether tokens from a remote cache have the size that the plan of their image has. */
function isWhole({ plan, options }: ResolvedRequest, { size, parts }: ImageTokens): boolean {
  if (!(size.width >= 1 && size.height >= 1)) return false;
  return answerBytes(plan(size), options.dtype) === byteLengthOf(parts);
}
