// Original file: proto/siglip_hd/v1/encoder.proto


export interface ServedProjector {
  'family'?: (string);
  'digest'?: (string);
}

export interface ServedProjector__Output {
  'family': (string);
  'digest': (string);
}
