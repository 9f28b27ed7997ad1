import type { AnswerSource, StageTimings } from '../telemetry/stage-timings.ts';
import type { AnswerMetadata } from '../tokens/answer-metadata.ts';
import type { RecipeOptions } from '../recipes/recipe-options.ts';
import type { ImageDigest, ImageInput } from '../image/raster.ts';
import type { FeatureLayer, Model } from '../model/model.ts';
import type { RequestTerms } from '../admission/priority.ts';
import type { ImageOutcome } from '../tokens/formats/image-outcome.ts';
import type { TokenDtype, TokenTensor } from '../tokens/tensor.ts';
import type { Size } from '../recipes/plan.ts';
import type { Trace } from '../telemetry/trace.ts';

/** Options that every recipe has, validated. */
export interface EncodeOptions {
  /** Served name; when absent the first served model, for the teacher recipe the one that --teacher names. */
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
  readonly images: readonly (ImageInput | ImageDigest)[];
  /** True when the caller sent a list, so that even a list of one answers [1, tokens, channels]. */
  readonly stacked: boolean;
  readonly recipe: RecipeOptions;
  readonly options: EncodeOptions;
  /** How it is served; {@link defaultTerms} when absent. */
  readonly terms?: RequestTerms;
  /** Takes down its stages; absent where it is not traced. */
  readonly trace?: Trace | undefined;
  /** Fires when the client leaves, the deadline passes or the service ends. */
  readonly signal: AbortSignal;
}

/** A request whose images are answered each by itself. */
export type EachRequest = Omit<EncodeRequest, 'stacked'>;

export interface EncodeAnswer {
  readonly tensor: TokenTensor;
  readonly metadata: AnswerMetadata;
  readonly timings: StageTimings;
  /** Where each image's tokens come from. */
  readonly sources: readonly AnswerSource[];
  /** What each image's tokens are kept under; none where they are not. */
  readonly keys: readonly string[];
  /** To be called when the caller has the answer, or has gone: its bytes count until then. */
  readonly release: () => void;
}

/** What an image of a size would be answered with. */
export interface PlanRequest {
  /** In pixels, after EXIF orientation. */
  readonly size: Size;
  readonly recipe: RecipeOptions;
  readonly options: EncodeOptions;
  /** How the encode call would be served; {@link defaultTerms} when absent. */
  readonly terms?: RequestTerms;
}

export interface PlanAnswer {
  /** The metadata that the encode call then answers. */
  readonly metadata: AnswerMetadata;
  readonly tokens: number;
  /** Of the tensor alone, without a format's header. */
  readonly sizeBytes: number;
}

/** What both transports serve: the one use case under them. Every rejection is a ServiceError. */
export interface VisualEncoder {
  encode(request: EncodeRequest): Promise<EncodeAnswer>;
  /**
   * Encodes each image by itself, all at once: one that fails stops no other. The outcomes are in the images' order,
   * and none rejects; the answers together are at most as large as one answer may be. Each answer is released by
   * itself.
   */
  encodeEach(request: EachRequest): readonly Promise<ImageOutcome<EncodeAnswer>>[];
  /**
   * From sizes and options alone: no image, no permit. Throws what the encode call would be refused with at any time.
   */
  plan(request: PlanRequest): PlanAnswer;
  /** Throws what is wrong with what is asked, whatever the image. */
  validate(asked: Pick<EncodeRequest, 'recipe' | 'options'>): void;
  /** The served models, the default first. */
  models(): readonly Model[];
  /** Whether requests are accepted: warmed up and not draining. */
  ready(): boolean;
}
