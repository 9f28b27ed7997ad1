import { constants, type ServerHttp2Stream } from 'node:http2';

/** What grpc-js has behind a call of its server, under names of its own: interceptors, and the stream at the end. */
interface InnerCall {
  readonly nextCall?: InnerCall;
  readonly stream?: ServerHttp2Stream;
}

/** The HTTP/2 stream of a call of grpc-js's server. */
export function streamOf(call: object): ServerHttp2Stream | undefined {
  let inner = (call as { readonly call?: InnerCall }).call;
  while (inner?.nextCall !== undefined) inner = inner.nextCall;
  return inner?.stream;
}

/** Whether a call that has ended was ended before its client had all of its answer. */
export function wasCutOff(call: object): boolean {
  const stream = streamOf(call);
  return stream !== undefined && (stream.rstCode !== constants.NGHTTP2_NO_ERROR || !stream.writableFinished);
}

/** Ends a call whose client does not read its answer: grpc-js itself would wait for ever. */
export function cutOff(call: object): void {
  streamOf(call)?.close(constants.NGHTTP2_CANCEL);
}
