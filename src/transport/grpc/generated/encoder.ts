// The types of proto/siglip_hd/v1/encoder.proto that the sources import, by scripts/grpc-types.js.
// To use another one, import it and run `node scripts/generate-docs.js`.
import type { Long } from '@grpc/proto-loader';

export type AnswerSource =
  | 'ANSWER_SOURCE_UNSPECIFIED'
  | 0
  | 'ANSWER_SOURCE_HIT'
  | 1
  | 'ANSWER_SOURCE_JOINED'
  | 2
  | 'ANSWER_SOURCE_MISS'
  | 3

export interface AnyResDefinition {
  'grids'?: readonly (TileGrid)[];
  'resample'?: (string);
  'maxTiles'?: (number);
}

export interface AnyResEncodeRequest__Output {
  'image': (Image__Output | null);
  'options': (RequestOptions__Output | null);
  'anyres': (AnyResOptions__Output | null);
}

export interface AnyResGeometry {
  'tileGrid'?: (TileGrid | null);
  'baseTokens'?: (number);
  'unpad'?: (TokenRect | null);
  'spatial'?: (Size | null);
  'resized'?: (boolean);
  'newlines'?: (number);
}

export interface AnyResOptions__Output {
  'maxGrid': (TileGrid__Output | null);
  'maxTiles'?: (number);
  'assembly': (Assembly__Output);
  'resample': (Resample__Output);
  'limit'?: "maxTiles";
}

export type Assembly =
  | 'ASSEMBLY_UNSPECIFIED'
  | 0
  | 'ASSEMBLY_MERGE'
  | 1
  | 'ASSEMBLY_TILES'
  | 2

export type Assembly__Output = Exclude<Assembly, number>

export type ChannelOrder =
  | 'CHANNEL_ORDER_UNSPECIFIED'
  | 0
  | 'CHANNEL_ORDER_TORCH'
  | 1
  | 'CHANNEL_ORDER_INTERNVL'
  | 2

export type ChannelOrder__Output = Exclude<ChannelOrder, number>

export type Dtype =
  | 'DTYPE_UNSPECIFIED'
  | 0
  | 'DTYPE_FLOAT16'
  | 1
  | 'DTYPE_FLOAT32'
  | 2
  | 'DTYPE_BFLOAT16'
  | 3

export type Dtype__Output = Exclude<Dtype, number>

export interface EncodeOptions__Output {
  'classToken': (boolean);
}

export interface EncodeRequest__Output {
  'image': (Image__Output | null);
  'options': (RequestOptions__Output | null);
  'encode': (EncodeOptions__Output | null);
}

export interface EncodeResponse {
  'tensor'?: (Tensor | null);
  'metadata'?: (Metadata | null);
  'timings'?: (Timings | null);
  'source'?: (AnswerSource);
}

export type Exif =
  | 'EXIF_UNSPECIFIED'
  | 0
  | 'EXIF_APPLY'
  | 1
  | 'EXIF_IGNORE'
  | 2

export type Exif__Output = Exclude<Exif, number>

export interface Failure {
  'reason'?: (string);
  'code'?: (number);
  'message'?: (string);
  'retryAfterMs'?: (number);
  'retry'?: "retryAfterMs";
}

export type FeatureLayer =
  | 'FEATURE_LAYER_UNSPECIFIED'
  | 0
  | 'FEATURE_LAYER_LAST_HIDDEN_STATE'
  | 1
  | 'FEATURE_LAYER_PRE_NORM'
  | 2
  | 'FEATURE_LAYER_PENULTIMATE'
  | 3

export type FeatureLayer__Output = Exclude<FeatureLayer, number>

export type Fusion =
  | 'FUSION_UNSPECIFIED'
  | 0
  | 'FUSION_AVERAGE'
  | 1
  | 'FUSION_CONCAT'
  | 2
  | 'FUSION_UNSHUFFLE_CONCAT'
  | 3

export type Fusion__Output = Exclude<Fusion, number>

export interface Image__Output {
  'file'?: (Buffer);
  'raw'?: (RawImage__Output | null);
  'digest'?: (string);
  'source'?: "file"|"raw"|"digest";
}

export interface ListModelsResponse {
  'models'?: readonly (Model)[];
}

export interface Metadata {
  'model'?: (ServedModel | null);
  'features'?: (FeatureLayer);
  'precision'?: (string);
  'dtype'?: (Dtype);
  'shape'?: readonly (number)[];
  'grid'?: (Size | null);
  'images'?: readonly (Size)[];
  'recipe'?: (Recipe);
  'views'?: (number);
  'anyres'?: (AnyResGeometry | null);
  'teacher'?: (TeacherMakeup | null);
  'output'?: (Output);
  'projector'?: (ServedProjector | null);
  'featureLayers'?: readonly (string)[];
  'classToken'?: (boolean);
}

export interface Model {
  'name'?: (string);
  'digest'?: (string);
  'architecture'?: (string);
  'trained'?: (boolean);
  'imageSize'?: (number);
  'patchSize'?: (number);
  'grid'?: (Size | null);
  'channels'?: (number);
  'layers'?: (number);
  'features'?: (FeatureLayer);
  'precision'?: (string);
  'resample'?: (string);
  'resize'?: (string);
  'projector'?: (Projector | null);
  'anyres'?: (AnyResDefinition | null);
  'featureLayers'?: readonly (string)[];
  'classToken'?: (boolean);
  'pooledChannels'?: (number);
}

export type Output =
  | 'OUTPUT_UNSPECIFIED'
  | 0
  | 'OUTPUT_FEATURES'
  | 1
  | 'OUTPUT_EMBEDDINGS'
  | 2
  | 'OUTPUT_POOLED'
  | 3

export type Output__Output = Exclude<Output, number>

export interface PlanRequest__Output {
  'image': (Size__Output | null);
  'options': (RequestOptions__Output | null);
  'encode'?: (EncodeOptions__Output | null);
  'teacher'?: (TeacherOptions__Output | null);
  'anyres'?: (AnyResOptions__Output | null);
  'recipe'?: "encode"|"teacher"|"anyres";
}

export interface PlanResponse {
  'metadata'?: (Metadata | null);
  'tokens'?: (number | string | Long);
  'sizeBytes'?: (number | string | Long);
}

export interface Projector {
  'family'?: (string);
  'digest'?: (string);
  'hiddenSize'?: (number);
  'grid'?: (Size | null);
  'anyGrid'?: (boolean);
  'newline'?: (boolean);
}

export interface RawImage__Output {
  'height': (number);
  'width': (number);
  'rgb': (Buffer);
}

export type Recipe =
  | 'RECIPE_UNSPECIFIED'
  | 0
  | 'RECIPE_ENCODE'
  | 1
  | 'RECIPE_TEACHER'
  | 2
  | 'RECIPE_ANYRES'
  | 3

export interface RequestOptions__Output {
  'model': (string);
  'expectDigest': (string);
  'expectFeatures': (FeatureLayer__Output);
  'dtype': (Dtype__Output);
  'exif': (Exif__Output);
  'output': (Output__Output);
  'expectProjectorDigest': (string);
  'features': readonly (string)[];
}

export type Resample =
  | 'RESAMPLE_UNSPECIFIED'
  | 0
  | 'RESAMPLE_BILINEAR'
  | 1
  | 'RESAMPLE_BICUBIC'
  | 2
  | 'RESAMPLE_LANCZOS'
  | 3

export type Resample__Output = Exclude<Resample, number>

export interface ScaleModel {
  'name'?: (string);
  'digest'?: (string);
}

export interface ServedModel {
  'name'?: (string);
  'digest'?: (string);
  'trained'?: (boolean);
}

export interface ServedProjector {
  'family'?: (string);
  'digest'?: (string);
}

export interface Size {
  'width'?: (number);
  'height'?: (number);
}

export interface Size__Output {
  'width': (number);
  'height': (number);
}

export interface StreamEncodeRequest__Output {
  'id': (string);
  'encode'?: (EncodeRequest__Output | null);
  'teacher'?: (TeacherEncodeRequest__Output | null);
  'anyres'?: (AnyResEncodeRequest__Output | null);
  'request'?: "encode"|"teacher"|"anyres";
}

export interface TeacherEncodeRequest__Output {
  'image': (Image__Output | null);
  'options': (RequestOptions__Output | null);
  'teacher': (TeacherOptions__Output | null);
}

export interface TeacherMakeup {
  'scales'?: readonly (number)[];
  'weights'?: readonly (number | string)[];
  'fusion'?: (Fusion);
  'windows'?: (Windows);
  'models'?: readonly (ScaleModel)[];
}

export interface TeacherOptions__Output {
  'scales': readonly (number)[];
  'weights': readonly (number)[];
  'fusion': (Fusion__Output);
  'windows': (Windows__Output);
  'channelOrder': (ChannelOrder__Output);
  'grid': (Size__Output | null);
}

export interface Tensor {
  'shape'?: readonly (number)[];
  'dtype'?: (Dtype);
  'data'?: (Buffer | Uint8Array | string);
}

export interface TensorChunk {
  'metadata'?: (Metadata | null);
  'timings'?: (Timings | null);
  'offset'?: (number | string | Long);
  'totalBytes'?: (number | string | Long);
  'data'?: (Buffer | Uint8Array | string);
  'source'?: (AnswerSource);
}

export interface TileGrid {
  'columns'?: (number);
  'rows'?: (number);
}

export interface TileGrid__Output {
  'columns': (number);
  'rows': (number);
}

export interface Timings {
  'decodeMs'?: (number | string);
  'viewsMs'?: (number | string);
  'queueMs'?: (number | string);
  'engineMs'?: (number | string);
  'assembleMs'?: (number | string);
}

export interface TokenRect {
  'x'?: (number);
  'y'?: (number);
  'width'?: (number);
  'height'?: (number);
}

export type Windows =
  | 'WINDOWS_UNSPECIFIED'
  | 0
  | 'WINDOWS_TILES'
  | 1
  | 'WINDOWS_HALF_OVERLAP'
  | 2
  | 'WINDOWS_WHOLE'
  | 3

export type Windows__Output = Exclude<Windows, number>
