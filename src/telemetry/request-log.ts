import type { ServiceError } from '../errors/service-error.ts';
import type { Outcome, Transport } from './metrics.ts';
import { type AnswerSource, leastReady, type StageTimings } from './stage-timings.ts';

/** The part of pino's logger that request lines need. */
export interface RequestLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What the log line and the trace say about an answer. */
export interface LoggedAnswer {
  readonly metadata: {
    readonly model: { readonly name: string };
    readonly recipe: string;
    /** Views of each image. */
    readonly views: number;
    readonly images: readonly { readonly width: number; readonly height: number }[];
  };
  readonly timings: StageTimings;
  readonly sources: readonly AnswerSource[];
}

/** An answer without its tokens, which would otherwise stay in memory until the line is written. */
export function withoutTokens({ metadata, timings, sources }: LoggedAnswer): LoggedAnswer {
  return { metadata, timings, sources };
}

/** A request that has ended. */
export interface EndedRequest {
  readonly transport: Transport;
  /** Its name, the same on both transports; `unmatched` for an unknown route. */
  readonly endpoint: string;
  readonly requestId: string;
  /** Trace id of W3C Trace Context. */
  readonly traceId?: string | undefined;
  /** The name of its API key. */
  readonly caller?: string | undefined;
  /** The client's address. */
  readonly peer?: string | undefined;
  /** A streamed request's own id. */
  readonly streamedId?: string | undefined;
  readonly code: Outcome;
  readonly durationMs: number;
  /** The answer; if each image is answered separately, the first. */
  readonly answer?: LoggedAnswer | undefined;
  /** Why the request failed; if its code is `ok`, why one of its images failed. */
  readonly failure: ServiceError | undefined;
}

/** Endpoints that machines poll. */
const probes: ReadonlySet<string> = new Set([
  'healthz',
  'readyz',
  'metrics',
  'server_live',
  'server_ready',
  'model_ready',
]);

export function isProbe(endpoint: string): boolean {
  return probes.has(endpoint);
}

/**
 * Logs a request in one line: the service's own failures at level error with their cause, probes at level debug, and
 * everything else, refusals and clients that left included, at level info.
 */
export function logRequest(logger: RequestLogger, request: EndedRequest): void {
  const { transport, endpoint, requestId, traceId, caller, peer, streamedId, code } = request;
  const { durationMs, answer, failure } = request;
  // A field that is undefined is not written.
  const fields = {
    transport,
    endpoint,
    request_id: requestId,
    trace_id: traceId,
    caller,
    peer,
    streamed_id: streamedId,
    code,
    duration_ms: tenths(durationMs),
    ...(answer === undefined ? {} : answerFields(answer)),
  };
  const ended = code === 'ok' ? 'answered' : code === 'cancelled' ? 'cancelled' : 'refused';
  if (isProbe(endpoint)) logger.debug(fields, 'probed');
  else if (failure?.code === 'internal') {
    logger.error({ ...fields, err: failure.cause ?? failure }, code === 'ok' ? 'answered in part' : 'failed');
  } else if (failure === undefined) logger.info(fields, ended);
  else {
    const { message: detail, cause } = failure;
    const why = cause instanceof Error ? { detail, cause: cause.message } : { detail };
    logger.info({ ...fields, ...why }, code === 'ok' ? 'answered in part' : ended);
  }
}

function answerFields({ metadata, timings, sources }: LoggedAnswer) {
  const { decodeMs, viewsMs, queueMs, engineMs, assembleMs = 0 } = timings;
  return {
    model: metadata.model.name,
    images: metadata.images.map(({ width, height }) => `${width}x${height}`).join(' '),
    views: viewsOf(metadata),
    source: leastReady(sources),
    ms: {
      decode: tenths(decodeMs),
      views: tenths(viewsMs),
      queue: tenths(queueMs),
      engine: tenths(engineMs),
      assemble: tenths(assembleMs),
    },
  };
}

function tenths(durationMs: number): number {
  return Math.round(durationMs * 10) / 10;
}

/** Views of all images together. */
export function viewsOf({ views, images }: LoggedAnswer['metadata']): number {
  return views * images.length;
}
