// Original file: proto/siglip_hd/v1/encoder.proto


export interface Timings {
  'decodeMs'?: (number | string);
  'viewsMs'?: (number | string);
  'queueMs'?: (number | string);
  'engineMs'?: (number | string);
  'assembleMs'?: (number | string);
}

export interface Timings__Output {
  'decodeMs': (number);
  'viewsMs': (number);
  'queueMs': (number);
  'engineMs': (number);
  'assembleMs': (number);
}
