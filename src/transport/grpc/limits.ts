import type { ServerOptions } from '@grpc/grpc-js';
import type { ReadingPace } from '../slow-reader.ts';

/** What the gRPC server allows its clients. */
export interface GrpcLimits {
  /** Largest request message, in bytes. */
  readonly maxRequestBytes: number;
  /**
   * Longest time for a message to arrive, while the service reads it. It counts from the headers of a unary call, and
   * from a message's first byte in a stream.
   */
  readonly arriveMs: number;
  /** Longest time that a unary call waits for room for its message. A stream waits until its call ends. */
  readonly waitMs: number;
  /** Most health checks whose message has not arrived. Another one ends the oldest. */
  readonly maxHalfSentChecks: number;
  /** Most connections. Further ones are closed at once. */
  readonly maxConnections: number;
  /** Most calls of one connection at a time, which limits the answers a slow reader holds. Clients queue further calls. */
  readonly maxConcurrentStreams: number;
  /** Most requests of one StreamEncode under way, which limits the answers a slow reader holds. */
  readonly maxStreamRequests: number;
  /**
   * Most memory for the unread answers of a connection. Beyond it, new calls are reset with HTTP/2's
   * ENHANCE_YOUR_CALM, which clients report as RESOURCE_EXHAUSTED.
   */
  readonly maxSessionMiB: number;
  /**
   * Flow-control window of a stream: room for a typical picture without a round trip. It is also the most that a call
   * can leave unread while it waits for room.
   */
  readonly streamWindowBytes: number;
  /** Flow-control window of a connection. Node reopens it as bytes arrive, read or not, so it does not limit memory. */
  readonly connectionWindowBytes: number;
  /** How fast clients must read their answers. */
  readonly reading: ReadingPace;
  /** Longest time for a TLS handshake. */
  readonly handshakeMs: number;
  /**
   * How long a connection is silent before it is pinged. Node does not close one by itself whose client broke
   * HTTP/2's rules.
   */
  readonly keepaliveMs: number;
  /** How long a connection may leave a ping unanswered before it is closed. */
  readonly keepaliveTimeoutMs: number;
  /** How long a connection without calls stays open. */
  readonly connectionIdleMs: number;
  /** How long a drain leaves connections open after the last answer. */
  readonly drainLingerMs: number;
  /** Longest time until health watchers learn of a change. */
  readonly healthPollMs: number;
}

/**
 * Most calls open at one time, over all connections. Health checks do not count, health watches do. Each can leave
 * `streamWindowBytes` unread before there is room for its message: 512 MiB in all by default.
 */
export const maxOpenCalls = 2048;

export const defaultGrpcLimits: GrpcLimits = {
  maxRequestBytes: 24 * 2 ** 20,
  arriveMs: 60_000,
  waitMs: 5_000,
  maxHalfSentChecks: 256,
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

/** The limits as grpc-js's options. */
export function serverOptions(limits: GrpcLimits): ServerOptions {
  return {
    // MessageIntake refuses a message that is too large before grpc-js keeps any of it, and with an ErrorInfo.
    'grpc.max_receive_message_length': -1,
    'grpc.max_concurrent_streams': limits.maxConcurrentStreams,
    'grpc-node.max_session_memory': limits.maxSessionMiB,
    'grpc.max_connection_idle_ms': limits.connectionIdleMs,
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
  };
}
