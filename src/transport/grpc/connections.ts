import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Server } from '@grpc/grpc-js';
import type { InboundCalls } from './inbound-calls.ts';
import type { GrpcLimits } from './limits.ts';

/**
 * Limits the connections of a listening server, and announces its streams to `calls`.
 *
 * grpc-js has no options for the number of connections or for flow control, and does not expose the HTTP/2 stream of a
 * call. The private field holds its node:http2 servers; everything used of those is documented by Node.
 */
export function watchConnections(server: Server, limits: GrpcLimits, calls: InboundCalls): void {
  for (const listener of server['http2Servers'].keys()) {
    listener.maxConnections = limits.maxConnections;
    listener.updateSettings({ initialWindowSize: limits.streamWindowBytes });
    listener.on('session', (session: ServerHttp2Session) =>
      session.setLocalWindowSize(limits.connectionWindowBytes),
    );
    listener.prependListener('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      dropFarTimeout(headers);
      calls.announce(stream, headers);
    });
  }
}

const timeoutHeader = 'grpc-timeout';
/** Units in which eight digits can exceed grpc-js's longest timeout. */
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/**
 * Removes a timeout of 25 days or more. grpc-js keeps timeouts in 32 bits of milliseconds: a longer one overflows, and the
 * call would fail at once.
 */
function dropFarTimeout(headers: IncomingHttpHeaders): void {
  const [, amount, unit = ''] = /(\d{1,8})\s*([HMS])/.exec(String(headers[timeoutHeader])) ?? [];
  if (Number(amount) * (unitMs[unit] ?? 0) >= 2 ** 31) delete headers[timeoutHeader];
}
