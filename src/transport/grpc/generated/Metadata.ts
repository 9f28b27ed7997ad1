// Original file: proto/siglip_hd/v1/encoder.proto

import type { ServedModel as _siglip_hd_v1_ServedModel, ServedModel__Output as _siglip_hd_v1_ServedModel__Output } from './ServedModel.ts';
import type { FeatureLayer as _siglip_hd_v1_FeatureLayer, FeatureLayer__Output as _siglip_hd_v1_FeatureLayer__Output } from './FeatureLayer.ts';
import type { Dtype as _siglip_hd_v1_Dtype, Dtype__Output as _siglip_hd_v1_Dtype__Output } from './Dtype.ts';
import type { Size as _siglip_hd_v1_Size, Size__Output as _siglip_hd_v1_Size__Output } from './Size.ts';
import type { Recipe as _siglip_hd_v1_Recipe, Recipe__Output as _siglip_hd_v1_Recipe__Output } from './Recipe.ts';
import type { AnyResGeometry as _siglip_hd_v1_AnyResGeometry, AnyResGeometry__Output as _siglip_hd_v1_AnyResGeometry__Output } from './AnyResGeometry.ts';
import type { TeacherMakeup as _siglip_hd_v1_TeacherMakeup, TeacherMakeup__Output as _siglip_hd_v1_TeacherMakeup__Output } from './TeacherMakeup.ts';
import type { Output as _siglip_hd_v1_Output, Output__Output as _siglip_hd_v1_Output__Output } from './Output.ts';
import type { ServedProjector as _siglip_hd_v1_ServedProjector, ServedProjector__Output as _siglip_hd_v1_ServedProjector__Output } from './ServedProjector.ts';

export interface Metadata {
  'model'?: (_siglip_hd_v1_ServedModel | null);
  'features'?: (_siglip_hd_v1_FeatureLayer);
  'precision'?: (string);
  'dtype'?: (_siglip_hd_v1_Dtype);
  'shape'?: readonly (number)[];
  'grid'?: (_siglip_hd_v1_Size | null);
  'images'?: readonly (_siglip_hd_v1_Size)[];
  'recipe'?: (_siglip_hd_v1_Recipe);
  'views'?: (number);
  'anyres'?: (_siglip_hd_v1_AnyResGeometry | null);
  'teacher'?: (_siglip_hd_v1_TeacherMakeup | null);
  'output'?: (_siglip_hd_v1_Output);
  'projector'?: (_siglip_hd_v1_ServedProjector | null);
  'featureLayers'?: readonly (string)[];
  'classToken'?: (boolean);
}

export interface Metadata__Output {
  'model': (_siglip_hd_v1_ServedModel__Output | null);
  'features': (_siglip_hd_v1_FeatureLayer__Output);
  'precision': (string);
  'dtype': (_siglip_hd_v1_Dtype__Output);
  'shape': readonly (number)[];
  'grid': (_siglip_hd_v1_Size__Output | null);
  'images': readonly (_siglip_hd_v1_Size__Output)[];
  'recipe': (_siglip_hd_v1_Recipe__Output);
  'views': (number);
  'anyres': (_siglip_hd_v1_AnyResGeometry__Output | null);
  'teacher': (_siglip_hd_v1_TeacherMakeup__Output | null);
  'output': (_siglip_hd_v1_Output__Output);
  'projector': (_siglip_hd_v1_ServedProjector__Output | null);
  'featureLayers': readonly (string)[];
  'classToken': (boolean);
}
