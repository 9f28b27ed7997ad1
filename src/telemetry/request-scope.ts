import { anyone, type Caller } from '../admission/caller.ts';
import { RequestAbort, type StopSignal } from '../errors/abort.ts';
import type { ServiceError } from '../errors/service-error.ts';
import type { Metrics, Outcome, Transport } from './metrics.ts';
import {
  type EndedRequest,
  isProbe,
  type LoggedAnswer,
  logRequest,
  type RequestLogger,
} from './request-log.ts';
import { endTrace, isFault, type WireCall } from './request-trace.ts';
import { callersTraceId, type ReadHeader, type Trace, type Tracer } from './trace.ts';

/** Where requests are reported when they end. */
export interface RequestReports {
  readonly logger: RequestLogger;
  readonly metrics: Pick<Metrics, 'observeRequest'>;
  /** If absent, nothing is traced. */
  readonly tracer?: Tracer | undefined;
}

/** What is known of a request before its body is read. */
export interface BegunRequest {
  readonly requestId: string;
  /** The client's address; undefined if it left before its request was read. */
  readonly peer: string | undefined;
  readonly readHeader: ReadHeader;
  /** The id of a request of a stream. */
  readonly streamedId?: string | undefined;
}

/**
 * One request of either transport, from its headers to the end of its answer: its caller, its signal, what it holds and
 * how it ended. `end()` logs, counts and traces it, and frees what it holds.
 */
export class RequestScope {
  readonly requestId: string;
  readonly peer: string | undefined;
  readonly streamedId: string | undefined;
  /** By performance.now(). */
  readonly startedMs = performance.now();
  /** Undefined if the request is not traced. */
  readonly trace: Trace | undefined;
  /** Its name in logs and metrics, the same on both transports. */
  endpoint = 'unmatched';
  /** Known once its key has been checked. */
  caller: Caller = anyone;
  /** What the log says about its answer. */
  answer: LoggedAnswer | undefined;
  /** Why it failed, or why a part of it failed. */
  failure: ServiceError | undefined;
  readonly #transport: Transport;
  readonly #reports: RequestReports;
  /** The id of its own trace, or of its caller's if it is not traced here. */
  readonly #traceId: string | undefined;
  readonly #abort = new RequestAbort();
  readonly #onEnd: (() => void)[] = [];
  #isEnded = false;

  constructor(transport: Transport, request: BegunRequest, reports: RequestReports) {
    this.#transport = transport;
    this.#reports = reports;
    this.trace = reports.tracer?.begin(request.readHeader, this.startedMs);
    this.#traceId = this.trace?.id ?? callersTraceId(request.readHeader);
    this.requestId = request.requestId;
    this.peer = plainPeer(request.peer);
    this.streamedId = request.streamedId;
  }

  /** Fires with a ServiceError when nobody waits for the answer any more. */
  get signal(): StopSignal {
    return this.#abort;
  }

  /** Stops the work for this request. */
  abort(reason: ServiceError): void {
    this.#abort.abort(reason);
  }

  /** Calls `release` when the request ends; at once if it has ended. */
  hold(release: () => void): void {
    if (this.#isEnded) release();
    else this.#onEnd.push(release);
  }

  /** Records why a part of the answer failed. A failure of the service replaces one of the caller. */
  note(failure: ServiceError): void {
    if (this.failure === undefined || (isFault(failure) && !isFault(this.failure))) this.failure = failure;
  }

  /** Reports the request and frees what it holds. Further calls do nothing. */
  end(code: Outcome, wireCall: () => WireCall): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const release of this.#onEnd) release();
    const { logger, metrics } = this.#reports;
    const { endpoint, requestId, peer, streamedId, answer, failure } = this;
    const caller = this.caller.name;
    const durationMs = performance.now() - this.startedMs;
    const ended: EndedRequest = {
      transport: this.#transport,
      endpoint,
      requestId,
      traceId: this.#traceId,
      caller,
      peer,
      streamedId,
      code,
      durationMs,
      answer,
      failure,
    };
    logRequest(logger, ended);
    // Machines send probes every few seconds, which would hide what callers get.
    if (isProbe(endpoint)) return;
    metrics.observeRequest({ transport: this.#transport, endpoint, code, durationMs, caller });
    if (this.trace !== undefined) endTrace(this.trace, ended, wireCall());
  }
}

/** The peer's plain address: a socket of both families reports an IPv4 client as `::ffff:10.0.0.1`. */
function plainPeer(peer: string | undefined): string | undefined {
  if (peer?.includes('::ffff:') !== true) return peer;
  return peer.replace(/^\[?::ffff:(\d+\.\d+\.\d+\.\d+)\]?/, '$1');
}
