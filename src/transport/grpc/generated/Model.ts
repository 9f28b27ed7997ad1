// Original file: proto/siglip_hd/v1/encoder.proto

import type { Size as _siglip_hd_v1_Size, Size__Output as _siglip_hd_v1_Size__Output } from './Size.ts';
import type { FeatureLayer as _siglip_hd_v1_FeatureLayer, FeatureLayer__Output as _siglip_hd_v1_FeatureLayer__Output } from './FeatureLayer.ts';
import type { Projector as _siglip_hd_v1_Projector, Projector__Output as _siglip_hd_v1_Projector__Output } from './Projector.ts';
import type { AnyResDefinition as _siglip_hd_v1_AnyResDefinition, AnyResDefinition__Output as _siglip_hd_v1_AnyResDefinition__Output } from './AnyResDefinition.ts';

export interface Model {
  'name'?: (string);
  'digest'?: (string);
  'architecture'?: (string);
  'trained'?: (boolean);
  'imageSize'?: (number);
  'patchSize'?: (number);
  'grid'?: (_siglip_hd_v1_Size | null);
  'channels'?: (number);
  'layers'?: (number);
  'features'?: (_siglip_hd_v1_FeatureLayer);
  'precision'?: (string);
  'resample'?: (string);
  'resize'?: (string);
  'projector'?: (_siglip_hd_v1_Projector | null);
  'anyres'?: (_siglip_hd_v1_AnyResDefinition | null);
  'featureLayers'?: readonly (string)[];
  'classToken'?: (boolean);
  'pooledChannels'?: (number);
}

export interface Model__Output {
  'name': (string);
  'digest': (string);
  'architecture': (string);
  'trained': (boolean);
  'imageSize': (number);
  'patchSize': (number);
  'grid': (_siglip_hd_v1_Size__Output | null);
  'channels': (number);
  'layers': (number);
  'features': (_siglip_hd_v1_FeatureLayer__Output);
  'precision': (string);
  'resample': (string);
  'resize': (string);
  'projector': (_siglip_hd_v1_Projector__Output | null);
  'anyres': (_siglip_hd_v1_AnyResDefinition__Output | null);
  'featureLayers': readonly (string)[];
  'classToken': (boolean);
  'pooledChannels': (number);
}
