// gRPC by hand over node:http2, for what no gRPC client would send.
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { status } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';
import { service } from './stub-server.ts';

/** A connection that ends with its server. (node:http2 of Node 20 may loop for ever in a client that ends it first.) */
export function connectRaw(port: number, initialWindowSize?: number): ClientHttp2Session {
  const settings = initialWindowSize === undefined ? {} : { settings: { initialWindowSize } };
  const session = connect(`http://127.0.0.1:${port}`, settings);
  session.on('error', () => undefined);
  return session;
}

/** Begins a call of a method of the service, or of any path. Its answer is read and thrown away. */
export function begin(
  session: ClientHttp2Session,
  method: string,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': method.startsWith('/') ? method : `/${service}/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => undefined);
  return stream.resume();
}

/** The status that a call ends with, in its headers or after them. */
export async function statusOf(stream: ClientHttp2Stream): Promise<number> {
  return await new Promise((resolve) => {
    const look = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) resolve(Number(headers['grpc-status']));
    };
    stream.on('response', look).on('trailers', look);
    stream.once('close', () =>
      resolve(stream.rstCode === constants.NGHTTP2_NO_ERROR ? status.OK : status.UNKNOWN),
    );
  });
}

/** Resolves with the code that the stream was reset with. */
export async function closed(stream: ClientHttp2Stream): Promise<number> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve));
  return stream.rstCode ?? 0;
}

/** What stands before a message of so many bytes. */
export function prefix(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(sizeBytes, 1);
  return bytes;
}

function framed(writer: protobuf.Writer): Buffer {
  const message = writer.finish();
  return Buffer.concat([prefix(message.byteLength), message]);
}

function encodeRequest(file: Uint8Array): Uint8Array {
  const image = protobuf.Writer.create().uint32(10).bytes(file).finish();
  return protobuf.Writer.create().uint32(10).bytes(image).finish();
}

/** An EncodeRequest with a file of so many bytes, as it is sent. */
export function encodeMessage(sizeBytes: number): Buffer {
  const message = encodeRequest(Buffer.alloc(sizeBytes, 7));
  return Buffer.concat([prefix(message.byteLength), message]);
}

/** A StreamEncodeRequest with such a file. */
export function streamMessage(id: string, sizeBytes: number): Buffer {
  const request = encodeRequest(Buffer.alloc(sizeBytes, 7));
  return framed(protobuf.Writer.create().uint32(10).string(id).uint32(18).bytes(request));
}
