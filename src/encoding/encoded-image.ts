import type { Size } from '../recipes/plan.ts';
import type { AnswerSource, StageTimings } from '../telemetry/stage-timings.ts';

/** The tokens of one image, as its request asked for them. */
export interface ImageTokens {
  /** Of the image, in pixels. */
  readonly size: Size;
  /** The little-endian values, in pieces that own their buffers. */
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
}

/** Tokens that were encoded just now, and how long each stage took. */
export interface EncodedImage extends ImageTokens {
  readonly timings: StageTimings;
}

/** Tokens as one request gets them. */
export interface AnsweredImage extends EncodedImage {
  readonly source: AnswerSource;
}
