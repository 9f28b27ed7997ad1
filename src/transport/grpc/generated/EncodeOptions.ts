// Original file: proto/siglip_hd/v1/encoder.proto


export interface EncodeOptions {
}

export interface EncodeOptions__Output {
}
