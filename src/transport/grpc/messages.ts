import type { FeatureLayer } from '../../model/model.ts';
import type { AnyresOptions } from '../../recipes/anyres.ts';
import type {
  AnyresGeometry,
  ChannelOrder,
  Fusion,
  Resample,
  Size,
  TeacherWindows,
  TileGrid,
} from '../../recipes/plan.ts';
import type { EncodeOptions } from '../../encoding/request.ts';
import type { AnswerSource, StageTimings } from '../../telemetry/stage-timings.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import type { TokenDtype } from '../../tokens/tensor.ts';

// The messages of proto/siglip_hd/v1/encoder.proto as @grpc/proto-loader gives and takes them with the options of
// definition.ts. An absent message is null; an absent scalar is its zero; enums are numbers.

export interface EncodeRequestMessage {
  readonly image: ImageMessage | null;
  readonly options: RequestOptionsMessage | null;
}

export interface TeacherEncodeRequestMessage extends EncodeRequestMessage {
  readonly teacher: TeacherOptionsMessage | null;
}

export interface AnyResEncodeRequestMessage extends EncodeRequestMessage {
  readonly anyres: AnyResOptionsMessage | null;
}

export interface StreamEncodeRequestMessage {
  readonly id: string;
  /** Which of the three is there. */
  readonly request?: RecipeOptions['recipe'];
  readonly encode?: EncodeRequestMessage;
  readonly teacher?: TeacherEncodeRequestMessage;
  readonly anyres?: AnyResEncodeRequestMessage;
}

export interface PlanRequestMessage {
  readonly image: Size | null;
  readonly options: RequestOptionsMessage | null;
  /** Which of the three is there. */
  readonly recipe?: RecipeOptions['recipe'];
  readonly teacher?: TeacherOptionsMessage;
  readonly anyres?: AnyResOptionsMessage;
}

export interface ImageMessage {
  /** Which of the three is there. */
  readonly source?: 'file' | 'raw' | 'digest';
  readonly digest?: string;
  readonly file?: Uint8Array<ArrayBuffer>;
  readonly raw?: RawImageMessage;
}

export interface RawImageMessage {
  readonly height: number;
  readonly width: number;
  readonly rgb: Uint8Array<ArrayBuffer>;
}

export interface RequestOptionsMessage {
  readonly model: string;
  readonly expectDigest: string;
  readonly expectFeatures: number;
  readonly dtype: number;
  readonly exif: number;
}

export interface TeacherOptionsMessage {
  readonly scales: readonly number[];
  readonly weights: readonly number[];
  readonly fusion: number;
  readonly windows: number;
  readonly channelOrder: number;
  readonly grid: Size | null;
}

export interface AnyResOptionsMessage {
  readonly maxGrid: TileGrid | null;
  /** Not there where the caller did not set it, since its 0 says something. */
  readonly maxTiles?: number;
  readonly assembly: number;
  readonly resample: number;
}

/** The response of any of the three encode calls without its tensor, which is written apart. */
export interface EncodeResponseHead {
  readonly metadata: MetadataMessage;
  readonly timings: StageTimings;
  readonly source: number;
}

/** Tensor without its data, which is written apart. */
export interface TensorHead {
  readonly shape: readonly number[];
  readonly dtype: number;
}

/** TensorChunk without its data, which is written apart. */
export interface TensorChunkHead {
  readonly metadata?: MetadataMessage;
  readonly timings?: StageTimings;
  readonly source?: number;
  readonly offset: number;
  readonly totalBytes: number;
}

export interface FailureMessage {
  readonly reason: string;
  readonly code: number;
  readonly message: string;
  readonly retryAfterMs?: number;
}

export interface MetadataMessage {
  readonly model: { readonly name: string; readonly digest: string; readonly trained: boolean };
  readonly features: number;
  readonly precision: string;
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly grid: Size;
  readonly images: readonly Size[];
  readonly recipe: number;
  readonly views: number;
  readonly anyres?: AnyresGeometry;
  readonly teacher?: TeacherMakeupMessage;
}

export interface TeacherMakeupMessage {
  readonly scales: readonly number[];
  readonly weights: readonly number[];
  readonly fusion: number;
  readonly windows: number;
  readonly models: readonly { readonly name: string; readonly digest: string }[];
}

export interface PlanResponseMessage {
  readonly metadata: MetadataMessage;
  readonly tokens: number;
  readonly sizeBytes: number;
}

export interface ListModelsResponseMessage {
  readonly models: readonly ModelMessage[];
}

export interface ModelMessage {
  readonly name: string;
  readonly digest: string;
  readonly architecture: string;
  readonly trained: boolean;
  readonly imageSize: number;
  readonly patchSize: number;
  readonly grid: Size;
  readonly channels: number;
  readonly layers: number;
  readonly features: number;
  readonly precision: string;
  readonly resample: string;
  readonly resize: string;
}

export const dtypeNumbers = { float16: 1, float32: 2, bfloat16: 3 } as const satisfies Record<
  TokenDtype,
  number
>;

export const sourceNumbers = { hit: 1, joined: 2, miss: 3 } as const satisfies Record<AnswerSource, number>;

export const exifNumbers = { apply: 1, ignore: 2 } as const satisfies Record<EncodeOptions['exif'], number>;

export const featureNumbers = {
  last_hidden_state: 1,
  pre_norm: 2,
  penultimate: 3,
} as const satisfies Record<FeatureLayer, number>;

export const recipeNumbers = { encode: 1, teacher: 2, anyres: 3 } as const satisfies Record<
  RecipeOptions['recipe'],
  number
>;

export const fusionNumbers = { average: 1, concat: 2, unshuffle_concat: 3 } as const satisfies Record<
  Fusion,
  number
>;

export const windowsNumbers = { tiles: 1, half_overlap: 2, whole: 3 } as const satisfies Record<
  TeacherWindows,
  number
>;

export const channelOrderNumbers = { torch: 1, internvl: 2 } as const satisfies Record<ChannelOrder, number>;

export const assemblyNumbers = { merge: 1, tiles: 2 } as const satisfies Record<
  AnyresOptions['assembly'],
  number
>;

export const resampleNumbers = { bilinear: 1, bicubic: 2 } as const satisfies Record<Resample, number>;
