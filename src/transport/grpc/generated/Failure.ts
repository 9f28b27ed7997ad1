// Original file: proto/siglip_hd/v1/encoder.proto


export interface Failure {
  'reason'?: (string);
  'code'?: (number);
  'message'?: (string);
  'retryAfterMs'?: (number);
  'retry'?: "retryAfterMs";
}

export interface Failure__Output {
  'reason': (string);
  'code': (number);
  'message': (string);
  'retryAfterMs'?: (number);
  'retry'?: "retryAfterMs";
}
