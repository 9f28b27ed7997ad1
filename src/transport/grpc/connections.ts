import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Server } from '@grpc/grpc-js';
import type { InboundCalls } from './inbound-calls.ts';
import type { GrpcLimits } from './limits.ts';

/**
 * Limits a listening server's connections, and announces each of their streams to `calls`.
 *
 * grpc-js has no options for the number of connections and for flow control, and shows a call's HTTP/2 stream to nobody.
 * It keeps node:http2's servers in a private field; what they are asked for here is node's own interface.
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
/** No eight digits of a unit below a second pass the longest timeout. */
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/**
 * grpc-js keeps a timeout in 32 bits of milliseconds, some 25 days, and takes a longer one for one that has passed. Such a
 * call is as good as one without a timeout.
 */
function dropFarTimeout(headers: IncomingHttpHeaders): void {
  const [, amount, unit = ''] = /(\d{1,8})\s*([HMS])/.exec(String(headers[timeoutHeader])) ?? [];
  if (Number(amount) * (unitMs[unit] ?? 0) >= 2 ** 31) delete headers[timeoutHeader];
}
