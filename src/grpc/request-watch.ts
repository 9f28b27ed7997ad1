import type { ErrorCode, ServiceError } from '../errors.ts';
import { type LoggedAnswer, logRequest, type RequestLogger } from '../request-log.ts';

/** One finished request, for metrics. */
export interface ObservedRequest {
  readonly transport: 'grpc';
  readonly endpoint: string;
  readonly code: ErrorCode | 'ok';
  /** From the whole request's arrival to the answer's hand-over, in milliseconds. */
  readonly durationMs: number;
  /** The name of its API key. */
  readonly caller?: string | undefined;
}

export interface RequestWatch {
  readonly logger: RequestLogger;
  /** Called for each request that comes to a handler, */
  readonly onBegin?: () => void;
  /** and for each that has ended. */
  readonly observe?: (request: ObservedRequest) => void;
}

/** What is known of a request before it is answered. */
export interface WatchedRequest {
  readonly endpoint: string;
  readonly requestId: string;
  /** The client's address. */
  readonly peer: string;
  /** The name of its API key. */
  readonly caller?: string | undefined;
  /** When it arrived, by performance.now(). */
  readonly startedMs: number;
  /** A streamed request's own id. */
  readonly streamedId?: string;
  /** What it was answered with. */
  readonly answer?: LoggedAnswer | undefined;
}

/** Logs and observes a request at its end; `error` is what it was answered with, if it failed. */
export function report(
  { logger, observe }: RequestWatch,
  { startedMs, ...request }: WatchedRequest,
  error: ServiceError | undefined,
): void {
  const { endpoint, caller } = request;
  const durationMs = performance.now() - startedMs;
  const code = error?.code ?? 'ok';
  logRequest(logger, { transport: 'grpc', ...request, code, durationMs, failure: error });
  observe?.({ transport: 'grpc', endpoint, code, durationMs, caller });
}
