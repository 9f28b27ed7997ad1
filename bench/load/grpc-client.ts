import { type ClientHttp2Session, connect } from 'node:http2';
import { encodePath, readTimings } from './messages.ts';
import type { Answer, Client, Target } from './target.ts';

const windowBytes = 8 * 2 ** 20;
const prefixBytes = 5;

/**
 * gRPC over plain node:http2, one connection, with a window that an answer fits in. Not grpc-js, whose client takes
 * about a millisecond of its own for an answer: the server is what is measured.
 */
export function grpcClient({ address, message, cached }: Extract<Target, { transport: 'grpc' }>): Client {
  const session = connect(`http://${address}`, { settings: { initialWindowSize: windowBytes } });
  session.once('connect', () => session.setLocalWindowSize(windowBytes));
  let failure: Error | undefined;
  session.once('error', (error) => {
    failure = error;
  });
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.byteLength, 1);
  const framed = Buffer.concat([prefix, message]);
  return {
    ask: () => (failure === undefined ? call(session, framed, cached === true) : Promise.reject(failure)),
    close: () => session.close(),
  };
}

function call(session: ClientHttp2Session, framed: Buffer, cached: boolean): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': encodePath,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(cached ? {} : { 'cache-control': 'no-store' }),
    });
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    let status: string | undefined;
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      sizeBytes += chunk.byteLength;
    });
    stream.once('response', (headers) => (status = headers['grpc-status']?.toString()));
    stream.once('trailers', (trailers) => (status ??= trailers['grpc-status']?.toString()));
    stream.once('error', reject);
    stream.once('end', () => {
      if (status !== '0') reject(new Error(`gRPC answered ${status ?? 'without a status'}`));
      else resolve({ sizeBytes, stagesMs: () => readTimings(Buffer.concat(chunks).subarray(prefixBytes)) });
    });
    stream.end(framed);
  });
}
