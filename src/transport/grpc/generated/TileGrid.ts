// Original file: proto/siglip_hd/v1/encoder.proto


export interface TileGrid {
  'columns'?: (number);
  'rows'?: (number);
}

export interface TileGrid__Output {
  'columns': (number);
  'rows': (number);
}
