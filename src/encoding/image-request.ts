import { failureOf, type StopSignal } from '../errors/abort.ts';
import type { ImageDigest, ImageInput } from '../image/raster.ts';
import type { Plan, Size } from '../recipes/plan.ts';
import type { Trace } from '../telemetry/trace.ts';
import { imageDigest } from './cache/image-digest.ts';
import { tokenKey, tokenUuid } from './cache/token-key.ts';
import type { AnsweredImage } from './encoded-image.ts';
import type { EncodingParts } from './encoding-parts.ts';
import type { ResolvedRequest } from './resolve-request.ts';

/** One image of a request. */
export interface ImageRequest {
  readonly image: ImageInput | ImageDigest;
  /** The key of its tokens in the cache; undefined if nothing is looked up or cached. */
  readonly key: string | undefined;
  /** 64 hex digits over everything that its tokens depend on; undefined if the request does not want them. */
  readonly uuid: string | undefined;
  readonly trace: Trace | undefined;
  /** Its name in error messages; undefined for the only image of a request. */
  readonly name: string | undefined;
}

/** An image whose tokens were found in a cache. */
export interface FoundImage extends ImageRequest {
  /** The image's size in pixels. */
  readonly size: Size;
  readonly tokens: AnsweredImage;
}

/** An image that must be encoded, by this request or another. */
export interface NewImage extends ImageRequest {
  readonly image: ImageInput;
  /** The size in its header, in pixels. */
  readonly size: Size;
  /** The time to read the header, which counts as decoding. */
  readonly headerMs: number;
  readonly tokens?: never;
}

/** What is known about an image before it is decoded. */
export type SizedImage = FoundImage | NewImage;

/** An image with its plan. */
export type Planned<Image extends SizedImage> = Image & { readonly plan: Plan };

/** Determines the key, the uuid and the name of each image of a request. */
export async function keyImages(
  { served, shareCache }: EncodingParts,
  { model, recipe, options, terms, hasUuids }: ResolvedRequest,
  images: readonly (ImageInput | ImageDigest)[],
  trace: Trace | undefined,
): Promise<readonly ImageRequest[]> {
  const models = served.map((one) => one.model);
  const owner = shareCache ? undefined : terms.caller.name;
  return await Promise.all(
    images.map(async (image, index): Promise<ImageRequest> => {
      // A request by digest asks for cached tokens, even with no-store.
      const isCached = !terms.noStore || image.kind === 'digest';
      const digest = isCached || hasUuids ? await imageDigest(image) : undefined;
      const content = digest && { image: digest, model, models, recipe, options };
      const key = content && isCached ? tokenKey({ ...content, owner }) : undefined;
      const identified = { image, key, uuid: content && hasUuids ? tokenUuid(content) : undefined };
      if (images.length === 1) return { ...identified, trace, name: undefined };
      return { ...identified, trace: trace?.ofImage(index), name: `images[${index}]` };
    }),
  );
}

/** Runs work for one image. Its error names the image, unless the whole request was aborted. */
export async function forImage<T>(
  { name }: ImageRequest,
  signal: StopSignal,
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const failure = failureOf(thrown, signal);
    throw name === undefined || signal.aborted ? failure : failure.withMessage(`${name}: ${failure.message}`);
  }
}
