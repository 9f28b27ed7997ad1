// Original file: proto/siglip_hd/v1/encoder.proto

import type { TileGrid as _siglip_hd_v1_TileGrid, TileGrid__Output as _siglip_hd_v1_TileGrid__Output } from './TileGrid.ts';

export interface AnyResDefinition {
  'grids'?: readonly (_siglip_hd_v1_TileGrid)[];
  'resample'?: (string);
  'maxTiles'?: (number);
}

export interface AnyResDefinition__Output {
  'grids': readonly (_siglip_hd_v1_TileGrid__Output)[];
  'resample': (string);
  'maxTiles': (number);
}
