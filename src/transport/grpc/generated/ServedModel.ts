// Original file: proto/siglip_hd/v1/encoder.proto


export interface ServedModel {
  'name'?: (string);
  'digest'?: (string);
  'trained'?: (boolean);
}

export interface ServedModel__Output {
  'name': (string);
  'digest': (string);
  'trained': (boolean);
}
