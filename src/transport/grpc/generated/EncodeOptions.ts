// Original file: proto/siglip_hd/v1/encoder.proto


export interface EncodeOptions {
  'classToken'?: (boolean);
}

export interface EncodeOptions__Output {
  'classToken': (boolean);
}
