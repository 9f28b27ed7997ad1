// Original file: proto/siglip_hd/v1/encoder.proto

import type { RawImage as _siglip_hd_v1_RawImage, RawImage__Output as _siglip_hd_v1_RawImage__Output } from './RawImage.ts';

export interface Image {
  'file'?: (Buffer | Uint8Array | string);
  'raw'?: (_siglip_hd_v1_RawImage | null);
  'digest'?: (string);
  'source'?: "file"|"raw"|"digest";
}

export interface Image__Output {
  'file'?: (Buffer);
  'raw'?: (_siglip_hd_v1_RawImage__Output | null);
  'digest'?: (string);
  'source'?: "file"|"raw"|"digest";
}
