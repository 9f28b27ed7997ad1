import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { requestAbort } from '../../errors/abort.ts';
import { anyone, type Caller } from '../../admission/caller.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { Outcome } from '../../telemetry/metrics.ts';
import { ReadingLimit } from '../slow-reader.ts';
import { type Problem, problem, problemKinds, serviceError } from './problem.ts';
import type { LoggedAnswer } from '../../telemetry/request-log.ts';
import { requestIdKey, requestIdOf } from '../request-id.ts';
import { beginTrace } from '../../telemetry/request-trace.ts';
import type { ReadHeader, Trace, Tracer } from '../../telemetry/trace.ts';
import type { Endpoint } from './routes.ts';

/** What an exchange needs to know of the server it is on. */
export interface ExchangeSettings {
  /** True once the server stops: answers then close their connections. */
  readonly closing: () => boolean;
  /** How long a client may leave an answer unread before its connection is dropped. */
  readonly writeIdleMs: number;
  /** The slowest that it may read one, beside that time. */
  readonly readBytesPerSecond: number;
  /** How long the rest of a refused body is read and thrown away, so that the client comes to read the answer. */
  readonly lingerMs: number;
  /** Begins its trace; none where nothing is traced. */
  readonly tracer?: Tracer | undefined;
}

/** One request and its answer. Everything that this server answers is written here. */
export class Exchange {
  readonly requestId: string;
  readonly startedMs = performance.now();
  readonly trace: Trace | undefined;
  /** Its caller's where it is not traced here. */
  readonly traceId: string | undefined;
  /** The client's address; undefined when it had gone before its request was read. */
  readonly peer: string | undefined;
  endpoint: Endpoint | 'unmatched' = 'unmatched';
  /** Whose it is; known once its key has let it in. */
  caller: Caller = anyone;
  /** How it ended; settled when the response has closed. */
  outcome: Outcome = 'ok';
  /** What it answers tokens with; for the log. */
  answer: LoggedAnswer | undefined;
  /** The error behind a problem, or behind an image that failed in an answer that did not; for the log. */
  failure: ServiceError | undefined;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #settings: ExchangeSettings;
  readonly #abort = requestAbort();
  readonly #onClose: (() => void)[] = [];
  #isLast = false;
  readonly #reading: ReadingLimit;
  #closed = false;

  constructor(request: IncomingMessage, response: ServerResponse, settings: ExchangeSettings) {
    this.requestId = requestIdOf(request.headers[requestIdKey]);
    this.peer = peerOf(request.socket);
    const read: ReadHeader = (key) => request.headers[key]?.toString();
    const { trace, traceId } = beginTrace(settings.tracer, read, this.startedMs);
    this.trace = trace;
    this.traceId = traceId;
    this.#request = request;
    this.#response = response;
    this.#settings = settings;
    this.#reading = new ReadingLimit({
      graceMs: settings.writeIdleMs,
      bytesPerSecond: settings.readBytesPerSecond,
      onLate: () => response.destroy(),
      now: () => performance.now(),
    });
    response.once('close', () => this.close());
  }

  get method(): string {
    return this.#request.method ?? '';
  }

  /** Of what it has answered, or would. */
  get status(): number {
    return this.#response.statusCode;
  }

  /** Fires when the client leaves before its answer is complete, or by {@link cancel}. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Whether an answer has begun. */
  get answered(): boolean {
    return this.#response.headersSent;
  }

  /** Whether all of the request has arrived. */
  get arrived(): boolean {
    return this.#request.complete;
  }

  /** Its connection ends with its answer. */
  endConnection(): void {
    if (this.#isLast) return;
    this.#isLast = true;
    const { socket } = this.#request;
    this.hold(() => socket.destroySoon());
  }

  /** Ends it with `reason`, its work too; an answer that has begun is cut off. */
  refuse(reason: ServiceError): void {
    this.cancel(reason);
    this.fail(reason);
  }

  /** Has `release` called once the answer has been read, or the client has gone. */
  hold(release: () => void): void {
    if (this.#closed) release();
    else this.#onClose.push(release);
  }

  /** Ends the work for this request; an answer that has begun is still finished. */
  cancel(reason: ServiceError): void {
    this.#abort.abort(reason);
  }

  /** Sends buffers that are there already, in one vectored write and without a copy. */
  send(status: number, headers: OutgoingHttpHeaders, buffers: readonly Uint8Array[]): void {
    if (!this.#begin(status, headers)) return;
    const response = this.#response;
    response.cork();
    for (const buffer of buffers) {
      response.write(buffer);
      this.#reading.add(buffer.byteLength);
    }
    this.#waitForReader();
    if (this.#bodyPending()) {
      response.uncork();
      this.#linger();
    } else {
      response.end();
    }
  }

  /**
   * Sends slices as they are made, no faster than the client reads, and lets other work in between them. Slices may
   * keep it waiting; the client may not.
   */
  async stream(
    status: number,
    headers: OutgoingHttpHeaders,
    slices: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<void> {
    if (!this.#begin(status, headers)) return;
    const response = this.#response;
    try {
      for await (const slice of slices) {
        if (response.destroyed) return;
        this.#reading.add(slice.byteLength);
        if (response.write(slice)) await nextTurn();
        else {
          this.#waitForReader();
          await writable(response);
          response.setTimeout(0);
          this.#reading.stop();
        }
        this.#reading.read(slice.byteLength);
      }
    } catch (thrown) {
      this.fail(thrown);
      return;
    }
    this.#waitForReader();
    response.end();
  }

  /** The client is to read on, before long and in a time that is bounded. */
  #waitForReader(): void {
    const response = this.#response;
    response.setTimeout(this.#settings.writeIdleMs);
    // An answer to a pipelined request has no connection before its turn.
    if (response.socket === null) response.once('socket', () => this.#reading.start());
    else this.#reading.start();
  }

  /** Remembers, for the log, why one image of an answer that goes on failed; the gravest is kept. */
  note(failure: ServiceError): void {
    const grave = problemKinds[failure.code].status >= 500;
    if (this.failure === undefined || (grave && problemKinds[this.failure.code].status < 500)) {
      this.failure = failure;
    }
  }

  /** Sends a JSON value. */
  sendJson(value: unknown): void {
    this.sendText('application/json', JSON.stringify(value));
  }

  /** Sends text in UTF-8 with status 200. */
  sendText(contentType: string, text: string, headers: OutgoingHttpHeaders = {}): void {
    const body = Buffer.from(text);
    this.send(200, { 'content-type': contentType, 'content-length': body.byteLength, ...headers }, [body]);
  }

  /** Answers with the problem that a thrown value is; an answer that has begun is cut off. */
  fail(thrown: unknown): void {
    const failure = serviceError(thrown);
    this.failure = failure;
    if (this.answered) this.#cutOff(failure);
    else this.sendProblem(problem(failure, this.requestId));
  }

  /** Answers with a problem. */
  sendProblem(answer: Problem, headers: OutgoingHttpHeaders = {}): void {
    if (this.answered) return;
    this.outcome = answer.code;
    this.send(answer.status, { ...answer.headers, ...headers }, [answer.body]);
  }

  /** The answer has been sent, or its connection has ended; once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reading.stop();
    if (!this.#response.writableFinished) {
      if (this.outcome === 'ok') this.outcome = 'cancelled';
      this.cancel(new ServiceError('cancelled', 'The client went away.'));
    }
    for (const release of this.#onClose) release();
  }

  /** Half an answer must not look like a whole one. */
  #cutOff({ code }: ServiceError): void {
    if (this.#response.writableEnded) return;
    this.outcome = code;
    this.#response.destroy();
  }

  #begin(status: number, headers: OutgoingHttpHeaders): boolean {
    const response = this.#response;
    if (response.destroyed || response.headersSent) return false;
    const last = this.#isLast || this.#settings.closing() || this.#bodyPending();
    response.writeHead(status, {
      ...headers,
      [requestIdKey]: this.requestId,
      'x-content-type-options': 'nosniff',
      ...(last ? { connection: 'close' } : {}),
    });
    return true;
  }

  #bodyPending(): boolean {
    const { complete, headers } = this.#request;
    if (complete) return false;
    return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  }

  /**
   * Ends the response only when the client has stopped sending. Node destroys the connection when a response with
   * `connection: close` ends; done while the client still sends, that resets the connection, and the client may
   * never see the answer.
   */
  #linger(): void {
    const request = this.#request;
    const end = (): void => {
      clearTimeout(timer);
      this.#response.end();
    };
    const timer = setTimeout(end, this.#settings.lingerMs);
    request.unpipe();
    request.once('end', end).once('close', end).once('error', end).resume();
  }
}

/** As gRPC writes it. */
function peerOf({ remoteAddress, remotePort }: Socket): string | undefined {
  if (remoteAddress === undefined) return undefined;
  return `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`;
}

/** Waits until the response takes more, or is closed. */
async function writable(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.once('drain', done).once('close', done);
    if (response.destroyed) done();
  });
  await nextTurn();
}
