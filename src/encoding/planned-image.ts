import type { ImageDigest, ImageInput } from '../image/raster.ts';
import type { Plan, Size } from '../recipes/plan.ts';
import type { Trace } from '../telemetry/trace.ts';
import type { EncodedImage } from './encoded-image.ts';

/** What is known about an image before it is decoded. */
export interface PlannedImage {
  readonly image: ImageInput | ImageDigest;
  /** The key of its tokens in the cache; undefined if nothing is looked up or cached. */
  readonly key: string | undefined;
  /** 64 hex digits over everything that its tokens depend on; undefined if the request does not want them. */
  readonly uuid: string | undefined;
  /** Its tokens; undefined if they must be encoded, by this request or another. */
  readonly tokens: EncodedImage | undefined;
  /** The image's size in pixels. */
  readonly size: Size;
  /** The time to read the size from the header, which counts as decoding. */
  readonly headerMs: number;
  readonly plan: Plan;
  readonly trace: Trace | undefined;
}

/** An image that this request encodes. */
export interface NewImage extends PlannedImage {
  readonly image: ImageInput;
}
