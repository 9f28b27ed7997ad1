// Original file: proto/siglip_hd/v1/encoder.proto


export interface TokenRect {
  'x'?: (number);
  'y'?: (number);
  'width'?: (number);
  'height'?: (number);
}

export interface TokenRect__Output {
  'x': (number);
  'y': (number);
  'width': (number);
  'height': (number);
}
