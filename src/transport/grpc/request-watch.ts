import { type Metadata, status } from '@grpc/grpc-js';
import type { ErrorCode, ServiceError } from '../../errors/service-error.ts';
import {
  type EndedRequest,
  type LoggedAnswer,
  logRequest,
  type RequestLogger,
} from '../../telemetry/request-log.ts';
import { beginTrace, type BegunTrace, endTrace, type WireCall } from '../../telemetry/request-trace.ts';
import type { Trace, Tracer } from '../../telemetry/trace.ts';
import { grpcStatus } from './status.ts';

/** One finished request, for metrics. */
export interface ObservedRequest {
  readonly transport: 'grpc';
  readonly endpoint: string;
  readonly code: ErrorCode | 'ok';
  /** From the whole request's arrival until its answer has been read, in milliseconds. */
  readonly durationMs: number;
  /** The name of its API key. */
  readonly caller?: string | undefined;
}

export interface RequestWatch {
  readonly logger: RequestLogger;
  /** Without it nothing is traced. */
  readonly tracer?: Tracer | undefined;
  /** Called for each request that comes to a handler, */
  readonly onBegin?: () => void;
  /** and for each that has ended. */
  readonly observe?: (request: ObservedRequest) => void;
}

/** What is known of a request before it is answered. */
export interface WatchedRequest {
  readonly endpoint: string;
  readonly requestId: string;
  readonly trace: Trace | undefined;
  readonly traceId: string | undefined;
  /** The method's path. */
  readonly path: string;
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
  { startedMs, trace, path, ...request }: WatchedRequest,
  error: ServiceError | undefined,
): void {
  const { endpoint, caller } = request;
  const durationMs = performance.now() - startedMs;
  const code = error?.code ?? 'ok';
  const ended: EndedRequest = { transport: 'grpc', ...request, code, durationMs, failure: error };
  logRequest(logger, ended);
  if (trace !== undefined) endTrace(trace, ended, wireCall(path, error));
  observe?.({ transport: 'grpc', endpoint, code, durationMs, caller });
}

/** Begins the trace of a request whose call has this metadata. */
export function traceCall({ tracer }: RequestWatch, metadata: Metadata, startedMs: number): BegunTrace {
  return beginTrace(tracer, (key) => metadata.get(key)[0]?.toString(), startedMs);
}

/** By OpenTelemetry's conventions for RPCs. */
function wireCall(path: string, error: ServiceError | undefined): WireCall {
  const method = path.slice(1);
  const code = error === undefined ? status.OK : grpcStatus(error.code);
  return {
    name: method,
    attributes: {
      'rpc.system.name': 'grpc',
      'rpc.method': method,
      'rpc.response.status_code': status[code],
    },
  };
}
