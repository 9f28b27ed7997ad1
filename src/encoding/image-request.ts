import { failureOf } from '../errors/abort.ts';
import type { ImageDigest, ImageInput } from '../image/raster.ts';
import type { Plan, Size } from '../recipes/plan.ts';
import type { Trace } from '../telemetry/trace.ts';
import { imageDigest } from './cache/image-digest.ts';
import { tokenKey } from './cache/token-key.ts';
import type { AnsweredImage } from './encoded-image.ts';
import type { EncodingParts } from './encoding-parts.ts';
import type { ResolvedRequest } from './resolve-request.ts';

/** One image of a request. */
export interface ImageRequest {
  readonly image: ImageInput | ImageDigest;
  /** What its tokens are kept under; undefined where nothing is looked up or kept. */
  readonly key: string | undefined;
  readonly trace: Trace | undefined;
  /** What failures call it; undefined where it is the only one. */
  readonly name: string | undefined;
}

/** An image whose tokens a cache has. */
export interface FoundImage extends ImageRequest {
  /** In pixels. */
  readonly size: Size;
  readonly tokens: AnsweredImage;
}

/** An image that has to be encoded, by this request or by another. */
export interface NewImage extends ImageRequest {
  readonly image: ImageInput;
  /** In pixels, by its header. */
  readonly size: Size;
  /** The time to read the header: part of decoding. */
  readonly headerMs: number;
  readonly tokens?: never;
}

/** What is known of an image before it is decoded. */
export type SizedImage = FoundImage | NewImage;

/** The same with what is to be made of it. */
export type Planned<Image extends SizedImage> = Image & { readonly plan: Plan };

/** A request's images with their keys in the cache. */
export async function keyImages(
  { served, shareCache }: EncodingParts,
  { model, recipe, options, terms }: ResolvedRequest,
  images: readonly (ImageInput | ImageDigest)[],
  trace: Trace | undefined,
): Promise<readonly ImageRequest[]> {
  const models = served.map((one) => one.model);
  const owner = shareCache ? undefined : terms.caller.name;
  return await Promise.all(
    images.map(async (image, index): Promise<ImageRequest> => {
      // A digest asks for nothing but what is kept.
      const isKept = !terms.noStore || image.kind === 'digest';
      const key = isKept
        ? tokenKey({ image: await imageDigest(image), model, models, recipe, options, owner })
        : undefined;
      if (images.length === 1) return { image, key, trace, name: undefined };
      return { image, key, trace: trace?.ofImage(index), name: `images[${index}]` };
    }),
  );
}

/** Runs work for one image of several: its failure names the image, unless the whole request was given up. */
export async function forImage<T>(
  { name }: ImageRequest,
  signal: AbortSignal,
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const failure = failureOf(thrown, signal);
    throw name === undefined || signal.aborted ? failure : failure.withMessage(`${name}: ${failure.message}`);
  }
}
