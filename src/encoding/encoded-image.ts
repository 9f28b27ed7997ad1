import type { Size } from '../recipes/plan.ts';
import type { AnswerSource, StageTimings } from '../telemetry/stage-timings.ts';

/** The tokens of one image, in the requested form. */
export interface ImageTokens {
  /** The image's size in pixels. */
  readonly size: Size;
  /** The little-endian values, in parts that own their buffers. */
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
}

/** Tokens as one request gets them: their source, and the time that each stage took. */
export interface EncodedImage extends ImageTokens {
  readonly source: AnswerSource;
  readonly timings: StageTimings;
}
