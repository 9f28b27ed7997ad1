// Original file: proto/siglip_hd/v1/encoder.proto


export interface ListModelsRequest {
}

export interface ListModelsRequest__Output {
}
