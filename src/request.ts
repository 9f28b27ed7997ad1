import type { Raster } from './image/raster.ts';
import type { FeatureLayer, Model } from './model/model.ts';
import type { TokenDtype, TokenTensor } from './tokens/tensor.ts';
import type { Size } from './recipes/plan.ts';

/** One image as it came: a file's bytes, or pixels that the caller had already. */
export type ImageInput =
  | { readonly kind: 'file'; readonly bytes: Uint8Array }
  | { readonly kind: 'raster'; readonly raster: Raster };

/** Options of an Encode, validated. */
export interface EncodeOptions {
  /** Served name; the first served model when absent. */
  readonly model?: string;
  /** failed_precondition unless the model has this digest. */
  readonly expectDigest?: string;
  /** failed_precondition unless the model gives this feature layer. */
  readonly expectFeatures?: FeatureLayer;
  readonly dtype: TokenDtype;
  readonly exif: 'apply' | 'ignore';
}

export interface EncodeRequest {
  /** One or more images, answered together; a failure of any fails the request and names the image. */
  readonly images: readonly ImageInput[];
  /** True when the caller sent a list, so that even a list of one answers [1, tokens, channels]. */
  readonly stacked: boolean;
  readonly options: EncodeOptions;
  /** Fires when the client leaves, the deadline passes or the service ends. */
  readonly signal: AbortSignal;
}

/** What an answer says of itself: travels with the tokens in every format and on both transports. */
export interface AnswerMetadata {
  readonly model: { readonly name: string; readonly digest: string; readonly trained: boolean };
  readonly features: FeatureLayer;
  readonly precision: string;
  readonly dtype: TokenDtype;
  /** [tokens, channels], or [images, tokens, channels]. */
  readonly shape: readonly number[];
  /** Tokens across and down. */
  readonly grid: Size;
  /** Decoded size of each image in pixels, after EXIF orientation was applied. */
  readonly images: readonly Size[];
}

/** Wall time of each stage in milliseconds; for several images, of the slowest. */
export interface StageTimings {
  readonly decodeMs: number;
  readonly viewsMs: number;
  readonly queueMs: number;
  readonly engineMs: number;
}

export interface EncodeAnswer {
  readonly tensor: TokenTensor;
  readonly metadata: AnswerMetadata;
  readonly timings: StageTimings;
}

/** What both transports serve: the one use case under them. Every rejection is a ServiceError. */
export interface VisualEncoder {
  encode(request: EncodeRequest): Promise<EncodeAnswer>;
  /** The served models, the default first. */
  models(): readonly Model[];
  /** Whether requests are accepted: warmed up and not draining. */
  ready(): boolean;
}
