import type { ServerOptions } from '@grpc/grpc-js';
import type { ReadingPace } from '../reading-pace.ts';

/** What the gRPC server allows its clients. */
export interface GrpcLimits {
  /** Largest request message, in bytes. */
  readonly maxRequestBytes: number;
  /**
   * The longest that a message may take to arrive, while it is read: of a unary call from its headers, of a stream from
   * its first byte.
   */
  readonly arriveMs: number;
  /** The longest that a unary call waits for room for its message. A stream waits as long as it lasts. */
  readonly waitMs: number;
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
   * Flow-control window of one stream: room for a typical picture without a round trip. It is also the most that lies
   * unread of a call that waits for room.
   */
  readonly streamWindowBytes: number;
  /** Flow-control window of a connection. Node opens it again as bytes come, so that it bounds nothing that is held. */
  readonly connectionWindowBytes: number;
  /** How fast clients must read their answers. */
  readonly reading: ReadingPace;
  /** How long a TLS handshake may take. */
  readonly handshakeMs: number;
  /**
   * A connection silent for this long is pinged. Node keeps one open for ever whose client broke HTTP/2's rules.
   */
  readonly keepaliveMs: number;
  /** A connection that does not answer a ping for this long is closed. */
  readonly keepaliveTimeoutMs: number;
  /** How long a connection without calls is kept. */
  readonly connectionIdleMs: number;
  /** How long a drain keeps what is left when every request has been answered. */
  readonly drainLingerMs: number;
  /** How long a health watcher may wait to hear of a change. */
  readonly healthPollMs: number;
}

/**
 * Calls of all connections that are open at one time, but for health checks. Each has up to 256 KiB unread before room is
 * reserved for its message: 512 MiB in all.
 */
export const maxOpenCalls = 2048;

export const defaultGrpcLimits: GrpcLimits = {
  maxRequestBytes: 24 * 2 ** 20,
  arriveMs: 60_000,
  waitMs: 5_000,
  maxConnections: 1024,
  maxConcurrentStreams: 128,
  maxStreamRequests: 16,
  maxSessionMiB: 256,
  streamWindowBytes: 2 ** 18,
  connectionWindowBytes: 4 * 2 ** 20,
  reading: { graceMs: 30_000, bytesPerSecond: 64 * 1024 },
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
    // message-intake.ts refuses a message that is too large with a code and a sentence, before grpc-js keeps any of it.
    'grpc.max_receive_message_length': -1,
    'grpc.max_concurrent_streams': limits.maxConcurrentStreams,
    'grpc-node.max_session_memory': limits.maxSessionMiB,
    'grpc.max_connection_idle_ms': limits.connectionIdleMs,
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
  };
}
