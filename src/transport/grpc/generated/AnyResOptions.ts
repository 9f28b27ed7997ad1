// Original file: proto/siglip_hd/v1/encoder.proto

import type { TileGrid as _siglip_hd_v1_TileGrid, TileGrid__Output as _siglip_hd_v1_TileGrid__Output } from './TileGrid.ts';
import type { Assembly as _siglip_hd_v1_Assembly, Assembly__Output as _siglip_hd_v1_Assembly__Output } from './Assembly.ts';
import type { Resample as _siglip_hd_v1_Resample, Resample__Output as _siglip_hd_v1_Resample__Output } from './Resample.ts';

export interface AnyResOptions {
  'maxGrid'?: (_siglip_hd_v1_TileGrid | null);
  'maxTiles'?: (number);
  'assembly'?: (_siglip_hd_v1_Assembly);
  'resample'?: (_siglip_hd_v1_Resample);
  'limit'?: "maxTiles";
}

export interface AnyResOptions__Output {
  'maxGrid': (_siglip_hd_v1_TileGrid__Output | null);
  'maxTiles'?: (number);
  'assembly': (_siglip_hd_v1_Assembly__Output);
  'resample': (_siglip_hd_v1_Resample__Output);
  'limit'?: "maxTiles";
}
