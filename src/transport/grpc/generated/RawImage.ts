// Original file: proto/siglip_hd/v1/encoder.proto


export interface RawImage {
  'height'?: (number);
  'width'?: (number);
  'rgb'?: (Buffer | Uint8Array | string);
}

export interface RawImage__Output {
  'height': (number);
  'width': (number);
  'rgb': (Buffer);
}
