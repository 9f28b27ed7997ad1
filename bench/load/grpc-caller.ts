import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
} from 'node:http2';
import { type Call, type Caller, type CallerOptions, type Outcome, Settling, unlessTold } from './caller.ts';
import { encodeRequestMessage } from './messages.ts';
import type { Endpoint } from './offer.ts';
import { takeBytes } from './trickle.ts';

const service = '/siglip_hd.v1.VisualEncoderService';
const methods = {
  encode: `${service}/Encode`,
  teacher: `${service}/TeacherEncode`,
  anyres: `${service}/AnyResEncode`,
} as const satisfies Record<Endpoint, string>;

/** gRPC's statuses by their number, in the words of the service's codes where it has one for them. */
const statuses = [
  'ok',
  'cancelled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'overloaded',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
];

const prefixBytes = 5;
const windowBytes = 8 * 2 ** 20;
const slowWindowBytes = 65_535;
/** A server allows so many streams a connection that a few connections hold every request under way; */
const connections = 8;
/** but slow readers on one connection would hold up each other. */
const slowConnections = 256;

/** gRPC over plain node:http2, which takes far less of the generator's time than grpc-js's client. */
export function grpcCaller(
  address: string,
  { image, dtype, headers, readBytesPerSecond }: CallerOptions,
): Caller {
  // The three requests have their image and options under the same numbers.
  const message = encodeRequestMessage(image, { dtype: `DTYPE_${dtype.toUpperCase()}` });
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.byteLength, 1);
  const framed = Buffer.concat([prefix, message]);
  const common = {
    ':method': 'POST',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...unlessTold,
    ...headers,
  };
  const isSlow = readBytesPerSecond !== undefined;
  const window = isSlow ? slowWindowBytes : windowBytes;
  const sessions: ClientHttp2Session[] = [];
  let next = 0;
  const sessionOf = (): ClientHttp2Session => {
    const index = next++ % (isSlow ? slowConnections : connections);
    const known = sessions[index];
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    return (sessions[index] = open(address, window));
  };
  return {
    call: (endpoint): Call => {
      const settling = new Settling();
      try {
        const stream = sessionOf().request({ ...common, ':path': methods[endpoint] });
        receive(stream, settling, readBytesPerSecond);
        stream.end(framed);
        return {
          outcome: settling.outcome,
          leave(code) {
            if (settling.isSettled) return;
            settling.settle({ code, sizeBytes: 0 });
            stream.close(0x8);
          },
        };
      } catch (error) {
        // A session that is told to go away throws until it is closed.
        settling.settle({ code: codeOf(error as Error), sizeBytes: 0 });
        return { outcome: settling.outcome, leave: () => undefined };
      }
    },
    close: () => {
      for (const session of sessions) session.destroy();
    },
  };
}

function open(address: string, window: number): ClientHttp2Session {
  const session = connect(`http://${address}`, { settings: { initialWindowSize: window } });
  session.once('connect', () => session.setLocalWindowSize(Math.max(window, slowWindowBytes)));
  // Its streams tell of it, each to its own call.
  session.on('error', () => undefined);
  return session;
}

function receive(stream: ClientHttp2Stream, settling: Settling, bytesPerSecond: number | undefined): void {
  let sizeBytes = 0;
  let end: Outcome | undefined;
  const note = (headers: IncomingHttpHeaders) => {
    const status = headers['grpc-status'];
    if (status !== undefined) end ??= outcomeOf(String(status), headers);
  };
  stream.once('response', note);
  stream.once('trailers', note);
  takeBytes(stream, bytesPerSecond, (chunk) => {
    sizeBytes += chunk.byteLength;
  });
  stream.once('error', (error) => settling.settle({ code: codeOf(error), sizeBytes }));
  stream.once('end', () => {
    if (end !== undefined) settling.settle({ ...end, sizeBytes });
  });
  stream.once('close', () => settling.settle({ ...(end ?? { code: 'cut_off' }), sizeBytes }));
}

function outcomeOf(status: string, headers: IncomingHttpHeaders): Outcome {
  const wait = headers['grpc-retry-pushback-ms'];
  return {
    code: statuses[Number(status)] ?? `grpc_${status}`,
    sizeBytes: 0,
    ...(wait === undefined ? {} : { retryAfterMs: Number(wait) }),
  };
}

function codeOf(error: NodeJS.ErrnoException): string {
  return error.code ?? error.message;
}
