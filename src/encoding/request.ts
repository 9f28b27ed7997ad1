import type { StopSignal } from '../errors/abort.ts';
import type { AnswerSource, StageTimings } from '../telemetry/stage-timings.ts';
import type { AnswerMetadata } from '../tokens/answer-metadata.ts';
import type { RecipeOptions } from '../recipes/recipe-options.ts';
import type { ImageDigest, ImageInput } from '../image/raster.ts';
import type { FeatureLayer, Model } from '../model/model.ts';
import type { RequestTerms } from '../admission/priority.ts';
import type { ImageOutcome } from '../tokens/formats/image-outcome.ts';
import type { TokenDtype, TokenTensor } from '../tokens/tensor.ts';
import type { Size, TokenOutput } from '../recipes/plan.ts';
import type { Trace } from '../telemetry/trace.ts';

/** The validated options that all recipes have. */
export interface EncodeOptions {
  /** The served model's name. When absent, the first served model; for the teacher recipe, that of --teacher. */
  readonly model?: string;
  /** Refuse with failed_precondition unless the model has this digest. */
  readonly expectDigest?: string;
  /** Refuse with failed_precondition unless the tokens are of these hidden states, joined in this order. */
  readonly expectFeatures?: readonly FeatureLayer[];
  /** Refuse with failed_precondition unless the model has a projector with this digest. */
  readonly expectProjectorDigest?: string;
  /** Features when absent. */
  readonly output?: TokenOutput;
  /** Hidden states whose tokens are joined by channels, in this order; the model's default when absent. */
  readonly features?: readonly FeatureLayer[];
  readonly dtype: TokenDtype;
  readonly exif: 'apply' | 'ignore';
}

export interface EncodeRequest {
  /** One or more images, answered together. If one fails, the request fails with an error that names it. */
  readonly images: readonly (ImageInput | ImageDigest)[];
  /** Whether the caller sent a list. Even a list of one image is answered with [1, tokens, channels]. */
  readonly stacked: boolean;
  readonly recipe: RecipeOptions;
  readonly options: EncodeOptions;
  /** How to serve it; {@link defaultTerms} when absent. */
  readonly terms?: RequestTerms;
  /** Whether the answer has uuids, for which every image is hashed. */
  readonly hasUuids?: boolean;
  /** Records its stages; absent if it is not traced. */
  readonly trace?: Trace | undefined;
  /** Fires when the client leaves, the deadline passes or the service stops. */
  readonly signal: StopSignal;
}

/** A request whose images are answered separately. */
export type EachRequest = Omit<EncodeRequest, 'stacked'>;

export interface EncodeAnswer {
  readonly tensor: TokenTensor;
  readonly metadata: AnswerMetadata;
  readonly timings: StageTimings;
  /** The source of each image's tokens. */
  readonly sources: readonly AnswerSource[];
  /** If requested, for each image 64 hex digits over all that its tokens depend on: image, model, projector, recipe and options. */
  readonly uuids: readonly string[];
  /** The cache key of each image's tokens; empty if they are not cached. */
  readonly keys: readonly string[];
  /** Frees the answer's reserved bytes. Must be called when the caller has read it or has left. */
  readonly release: () => void;
}

/** Asks what the answer for an image of a given size would be. */
export interface PlanRequest {
  /** The image's size in pixels, after EXIF orientation. */
  readonly size: Size;
  readonly recipe: RecipeOptions;
  readonly options: EncodeOptions;
  /** How the encode call would be served; {@link defaultTerms} when absent. */
  readonly terms?: RequestTerms;
}

export interface PlanAnswer {
  /** The metadata that the encode call would answer. */
  readonly metadata: AnswerMetadata;
  readonly tokens: number;
  /** The size of the tensor, without a format's header. */
  readonly sizeBytes: number;
}

/** The engines of all models, and those of them that take work now. */
export interface EngineCount {
  readonly up: number;
  readonly total: number;
}

/** A remote engine that does not work, and why. */
export interface Outage {
  readonly model: string;
  readonly engine: string;
  /** A short phrase, which callers without a key may read. */
  readonly reason: string;
}

/** What both transports serve. Every rejection is a ServiceError. */
export interface VisualEncoder {
  encode(request: EncodeRequest): Promise<EncodeAnswer>;
  /**
   * Encodes each image separately, all at the same time: a failed image stops no other. The outcomes are in the order of
   * the images, and none rejects. Each answer must be released. Together they may be as large as one answer.
   */
  encodeEach(request: EachRequest): readonly Promise<ImageOutcome<EncodeAnswer>>[];
  /** Plans from sizes and options alone. Throws what the encode call would throw on an idle service. */
  plan(request: PlanRequest): PlanAnswer;
  /** Throws if a request is invalid whatever its images are. */
  validate(request: Pick<EncodeRequest, 'recipe' | 'options'>): void;
  /** The served models, the default first. */
  models(): readonly Model[];
  engines(): EngineCount;
  /** Whether requests are accepted: warmed up, not draining, and each model has an engine that works. */
  ready(): boolean;
  /** The remote engines that keep it from being ready. */
  outages(): readonly Outage[];
}
