import type { FeatureLayer } from '../model/model.ts';
import type { Size } from '../recipes/plan.ts';
import type { EncodeOptions, StageTimings } from '../request.ts';
import type { TokenDtype } from '../tokens/tensor.ts';

// The messages of proto/siglip_hd/v1/encoder.proto as @grpc/proto-loader gives and takes them with the options of
// definition.ts. An absent message is null; an absent scalar is its zero; enums are numbers.

export interface EncodeRequestMessage {
  readonly image: ImageMessage | null;
  readonly options: RequestOptionsMessage | null;
}

export interface ImageMessage {
  /** Which of the two is there. */
  readonly source?: 'file' | 'raw';
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

/** EncodeResponse without its tensor, which is written apart. */
export interface EncodeResponseHead {
  readonly metadata: MetadataMessage;
  readonly timings: StageTimings;
}

/** Tensor without its data, which is written apart. */
export interface TensorHead {
  readonly shape: readonly number[];
  readonly dtype: number;
}

export interface MetadataMessage {
  readonly model: { readonly name: string; readonly digest: string; readonly trained: boolean };
  readonly features: number;
  readonly precision: string;
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly grid: Size;
  readonly images: readonly Size[];
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
}

export const dtypeNumbers = { float16: 1, float32: 2, bfloat16: 3 } as const satisfies Record<
  TokenDtype,
  number
>;

export const exifNumbers = { apply: 1, ignore: 2 } as const satisfies Record<EncodeOptions['exif'], number>;

export const featureNumbers = {
  last_hidden_state: 1,
  pre_norm: 2,
  penultimate: 3,
} as const satisfies Record<FeatureLayer, number>;
