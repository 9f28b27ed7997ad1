// The types of proto/siglip_hd/v1/encoder.proto that the sources import, by scripts/grpc-types.js.
// To use another one, import it and run `node scripts/generate-docs.js`.
import type { Long } from '@grpc/proto-loader';

export type AnswerSource =
  | 'ANSWER_SOURCE_UNSPECIFIED'
  | 'ANSWER_SOURCE_HIT'
  | 'ANSWER_SOURCE_JOINED'
  | 'ANSWER_SOURCE_MISS'

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
  | 'ASSEMBLY_MERGE'
  | 'ASSEMBLY_TILES'

export type Assembly__Output = Assembly

export type ChannelOrder =
  | 'CHANNEL_ORDER_UNSPECIFIED'
  | 'CHANNEL_ORDER_TORCH'
  | 'CHANNEL_ORDER_INTERNVL'

export type ChannelOrder__Output = ChannelOrder

export type Dtype =
  | 'DTYPE_UNSPECIFIED'
  | 'DTYPE_FLOAT16'
  | 'DTYPE_FLOAT32'
  | 'DTYPE_BFLOAT16'

export type Dtype__Output = Dtype

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
  | 'EXIF_APPLY'
  | 'EXIF_IGNORE'

export type Exif__Output = Exif

export interface Failure {
  'reason'?: (string);
  'code'?: (number);
  'message'?: (string);
  'retryAfterMs'?: (number);
  'retry'?: "retryAfterMs";
}

export type FeatureLayer =
  | 'FEATURE_LAYER_UNSPECIFIED'
  | 'FEATURE_LAYER_LAST_HIDDEN_STATE'
  | 'FEATURE_LAYER_PRE_NORM'
  | 'FEATURE_LAYER_PENULTIMATE'

export type FeatureLayer__Output = FeatureLayer

export type Fusion =
  | 'FUSION_UNSPECIFIED'
  | 'FUSION_AVERAGE'
  | 'FUSION_CONCAT'
  | 'FUSION_UNSHUFFLE_CONCAT'

export type Fusion__Output = Fusion

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
  | 'OUTPUT_FEATURES'
  | 'OUTPUT_EMBEDDINGS'
  | 'OUTPUT_POOLED'

export type Output__Output = Output

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
  | 'RECIPE_ENCODE'
  | 'RECIPE_TEACHER'
  | 'RECIPE_ANYRES'

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
  | 'RESAMPLE_BILINEAR'
  | 'RESAMPLE_BICUBIC'
  | 'RESAMPLE_LANCZOS'

export type Resample__Output = Resample

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
  | 'WINDOWS_TILES'
  | 'WINDOWS_HALF_OVERLAP'
  | 'WINDOWS_WHOLE'

export type Windows__Output = Windows
