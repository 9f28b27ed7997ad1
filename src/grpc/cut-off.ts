import { constants, type ServerHttp2Stream } from 'node:http2';

/** What grpc-js has behind a call of its server, under names of its own: interceptors, and the stream at the end. */
interface InnerCall {
  readonly nextCall?: InnerCall;
  readonly stream?: Pick<ServerHttp2Stream, 'close'>;
}

/** Ends a call whose client does not read its answer: grpc-js itself would wait for ever. */
export function cutOff(call: object): void {
  let inner = (call as { readonly call?: InnerCall }).call;
  while (inner?.nextCall !== undefined) inner = inner.nextCall;
  inner?.stream?.close(constants.NGHTTP2_CANCEL);
}
