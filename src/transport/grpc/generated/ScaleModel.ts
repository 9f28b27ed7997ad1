// Original file: proto/siglip_hd/v1/encoder.proto


export interface ScaleModel {
  'name'?: (string);
  'digest'?: (string);
}

export interface ScaleModel__Output {
  'name': (string);
  'digest': (string);
}
