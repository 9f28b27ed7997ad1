// Original file: proto/siglip_hd/v1/encoder.proto


export interface Size {
  'width'?: (number);
  'height'?: (number);
}

export interface Size__Output {
  'width': (number);
  'height': (number);
}
