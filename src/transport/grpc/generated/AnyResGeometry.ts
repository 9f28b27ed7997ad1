// Original file: proto/siglip_hd/v1/encoder.proto

import type { TileGrid as _siglip_hd_v1_TileGrid, TileGrid__Output as _siglip_hd_v1_TileGrid__Output } from './TileGrid.ts';
import type { TokenRect as _siglip_hd_v1_TokenRect, TokenRect__Output as _siglip_hd_v1_TokenRect__Output } from './TokenRect.ts';
import type { Size as _siglip_hd_v1_Size, Size__Output as _siglip_hd_v1_Size__Output } from './Size.ts';

export interface AnyResGeometry {
  'tileGrid'?: (_siglip_hd_v1_TileGrid | null);
  'baseTokens'?: (number);
  'unpad'?: (_siglip_hd_v1_TokenRect | null);
  'spatial'?: (_siglip_hd_v1_Size | null);
  'resized'?: (boolean);
  'newlines'?: (number);
}

export interface AnyResGeometry__Output {
  'tileGrid': (_siglip_hd_v1_TileGrid__Output | null);
  'baseTokens': (number);
  'unpad': (_siglip_hd_v1_TokenRect__Output | null);
  'spatial': (_siglip_hd_v1_Size__Output | null);
  'resized': (boolean);
  'newlines': (number);
}
