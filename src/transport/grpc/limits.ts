import type { ServerOptions } from '@grpc/grpc-js';

/** What the gRPC server allows its clients. */
export interface GrpcLimits {
  /**
   * Largest request, in bytes; `too_large` is one that says so itself, RESOURCE_EXHAUSTED one that grows when it
   * is decompressed.
   */
  readonly maxRequestBytes: number;
  /**
   * The longest that a message may take to arrive: of a unary call from its headers, of a stream from its first byte.
   */
  readonly arriveMs: number;
  /** Connections beyond these are closed as they come. */
  readonly maxConnections: number;
  /**
   * Calls of one connection at a time. A slow reader holds at most so many answers; further calls wait in the client.
   */
  readonly maxConcurrentStreams: number;
  /**
   * Requests of one StreamEncode that may be read and not wholly answered. A slow reader holds at most so many
   * answers a stream.
   */
  readonly maxStreamRequests: number;
  /**
   * A connection whose unread answers take more memory than this has new calls refused, with HTTP/2's
   * ENHANCE_YOUR_CALM, which clients report as RESOURCE_EXHAUSTED.
   */
  readonly maxSessionMiB: number;
  /**
   * What a client may send of one call before it must wait to be told that it was read: a picture, else each 64 KiB of
   * it costs the time to the client and back;
   */
  readonly streamWindowBytes: number;
  /** and of all calls of a connection. */
  readonly connectionWindowBytes: number;
  /** How long a client may leave answers unread, */
  readonly readGraceMs: number;
  /** and the slowest that it may read them, beside that time. */
  readonly readBytesPerSecond: number;
  /** How long a TLS handshake may take. */
  readonly handshakeMs: number;
  /** A connection silent for this long is pinged: node leaves one open for ever whose client broke HTTP/2's rules, */
  readonly keepaliveMs: number;
  /** and closed when it does not answer for this long. */
  readonly keepaliveTimeoutMs: number;
  /** How long a connection without calls is kept. */
  readonly connectionIdleMs: number;
  /** How long one is kept in a drain. */
  readonly drainLingerMs: number;
  /** How long a health watcher may wait to hear of a change. */
  readonly healthPollMs: number;
}

export const defaultGrpcLimits: GrpcLimits = {
  maxRequestBytes: 24 * 2 ** 20,
  arriveMs: 60_000,
  maxConnections: 1024,
  maxConcurrentStreams: 128,
  maxStreamRequests: 16,
  maxSessionMiB: 256,
  streamWindowBytes: 2 ** 18,
  connectionWindowBytes: 4 * 2 ** 20,
  readGraceMs: 30_000,
  readBytesPerSecond: 64 * 1024,
  handshakeMs: 10_000,
  keepaliveMs: 10_000,
  keepaliveTimeoutMs: 5_000,
  connectionIdleMs: 5 * 60_000,
  drainLingerMs: 500,
  healthPollMs: 500,
};

/** The limits under grpc-js's names. */
export function serverOptions(limits: GrpcLimits): ServerOptions {
  return {
    'grpc.max_receive_message_length': limits.maxRequestBytes,
    'grpc.max_concurrent_streams': limits.maxConcurrentStreams,
    'grpc-node.max_session_memory': limits.maxSessionMiB,
    'grpc.max_connection_idle_ms': limits.connectionIdleMs,
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    // With channelz off, grpc-js 1.14's forceShutdown knows no connections and ends none.
    'grpc.enable_channelz': 1,
  };
}
