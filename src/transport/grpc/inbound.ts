import type { ServerHttp2Stream } from 'node:http2';
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  status,
} from '@grpc/grpc-js';
import type { Reservation } from '../../admission/budget.ts';
import { anyone } from '../../admission/caller.ts';
import { RequestAbort, type StopSignal } from '../../errors/abort.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { RequestScope } from '../../telemetry/request-scope.ts';
import { AnswerStream } from './answer-stream.ts';
import { callFailure } from './call-failures.ts';
import { CallScope } from './call-scope.ts';
import type { InboundSettings } from './inbound-settings.ts';
import { MessageIntake } from './message-intake.ts';
import type { RequestMessage } from './request-message.ts';
import { grpcStatus, statusOf } from './status.ts';
import type { StreamHandler } from './stream-handler.ts';

type Listener = Parameters<ServerInterceptingCall['start']>[0];
type Ending = Parameters<ServerInterceptingCall['sendStatus']>[0];

/** A method that needs a key where the service has keys. */
export interface Method {
  /** Its name in logs and metrics. */
  readonly endpoint: string;
  /** Answers a unary call, which then never reaches a handler of grpc-js. Absent from streams. */
  readonly answer?: (inbound: InboundCall, request: RequestMessage) => void;
}

/** A call whose headers have arrived. */
export interface OpenedCall {
  readonly path: string;
  /** Undefined for probes, health checks and reflection, which need no key. */
  readonly method: Method | undefined;
  /** Whether the client sends exactly one message. */
  readonly isUnary: boolean;
  /** Whether the server sends exactly one message. */
  readonly isAnsweredOnce: boolean;
  readonly stream: ServerHttp2Stream;
  /** The grpc-encoding header. */
  readonly encoding: string | undefined;
  /** Health checks whose message has not arrived, oldest first. */
  readonly halfSentChecks: Set<InboundCall>;
}

/** Longest message of a health check or of reflection. */
const openServiceBytes = 1024;

/** A client cancels its call when the deadline passes, about when grpc-js's own timer fires here. */
const clockMarginMs = 100;

/** The name under which a call's metadata refers to its InboundCall. */
const opaqueKey = 'siglip-hd.inbound-call';

/**
 * One call, from its headers to the end of its answer: authenticates it by its metadata, admits its messages, and reports
 * how it ended. It stands between grpc-js and the handlers of streams, probes, health checks and reflection, and has the
 * call's method answer all other unary calls. It calls `next` rather than `super`, whose methods wrap every message in
 * listeners that change nothing.
 */
export class InboundCall extends ServerInterceptingCall {
  /** Set by a stream's handler. */
  handler: StreamHandler | undefined;
  readonly stream: AnswerStream;
  readonly #next: ServerInterceptingCallInterface;
  readonly #call: OpenedCall;
  readonly #settings: InboundSettings;
  readonly #intake: MessageIntake;
  readonly #abort = new RequestAbort();
  readonly #onEnd: (() => void)[] = [];
  #callScope: CallScope | undefined;
  #scope: RequestScope | undefined;
  #caller = anyone;
  #place: Reservation | undefined;
  #listener: Listener | undefined;
  /** Messages that the connection has not accepted yet. */
  #unsent = 0;
  #isAnswered = false;
  /** Whether it has been refused or has ended. */
  #isOver = false;
  #hasEnded = false;

  constructor(next: ServerInterceptingCallInterface, call: OpenedCall, settings: InboundSettings) {
    super(next);
    this.#next = next;
    this.#call = call;
    this.#settings = settings;
    this.#intake = this.#openIntake();
    this.stream = new AnswerStream(call.stream);
  }

  /** The inbound call behind a handler's call. */
  static of({ metadata }: { readonly metadata: Metadata }): InboundCall {
    return metadata.getOpaque(opaqueKey) as InboundCall;
  }

  /** What its headers say, and the scopes of its requests. */
  get callScope(): CallScope {
    return this.#callScope!;
  }

  /** The scope of a unary call. */
  get scope(): RequestScope {
    return this.#scope!;
  }

  /** Fires with a ServiceError if the client leaves or the deadline passes before the answer. */
  get signal(): StopSignal {
    return this.#abort.signal;
  }

  /** Calls `listener` when the client has read the answer, or has left; at once if that was before. */
  onEnd(listener: () => void): void {
    if (this.#hasEnded) listener();
    else this.#onEnd.push(listener);
  }

  /** Reports a failure of the call as a whole. */
  report(failure: ServiceError, code?: status): void {
    if (this.#isOurs) this.callScope.end(this.#scope ?? this.callScope.begin(), failure, code);
  }

  /**
   * Ends the call with `error` if its message has not arrived, or if only its client would end it (a health watch,
   * reflection). A stream's handler ends its call itself.
   */
  stop(error: ServiceError): void {
    if (this.handler !== undefined) this.handler.drain();
    else if (!this.#isOurs || !this.#intake.hasDelivered) this.#refuse(error);
  }

  readOn(): void {
    this.#intake.readOn();
  }

  override start(listener: Listener): void {
    this.#listener = listener;
    this.#next.start({
      onReceiveMetadata: (metadata) => this.#open(metadata, listener),
      onReceiveMessage: (message: unknown) => this.#intake.receive(message),
      onReceiveHalfClose: () => this.#halfClose(listener),
      onCancel: () => {
        this.#end();
        listener.onCancel();
      },
    });
  }

  override startRead(): void {
    if (!this.#call.isUnary || !this.#intake.hasDelivered) {
      this.#intake.start();
      return;
    }
    // The only message has arrived, so the handler may start. The client may never half-close.
    this.#listener?.onReceiveHalfClose();
    // A client without a key must not leave anything unread: the intake sees what else it sends.
    this.#next.startRead();
  }

  override sendMetadata(metadata: Metadata): void {
    this.#next.sendMetadata(metadata);
  }

  override sendMessage(message: unknown, callback: () => void): void {
    this.#isAnswered ||= this.#call.isAnsweredOnce;
    this.#unsent++;
    this.#next.sendMessage(message, () => {
      this.#unsent--;
      callback();
      this.readOn();
    });
  }

  override sendStatus(ending: Ending): void {
    this.#isAnswered = true;
    this.#intake.close();
    this.#next.sendStatus(ending);
  }

  /** Whether the call is to a method that needs a key, not to a probe, a health check or reflection. */
  get #isOurs(): boolean {
    return this.#call.method !== undefined;
  }

  /** Whether the call is a probe, or a health check that is answered at once: no watch, and not reflection. */
  get #isCheck(): boolean {
    return !this.#isOurs && this.#call.isUnary && this.#call.isAnsweredOnce;
  }

  /** Reflection answers every message at once, so it reads the next one when the client has read the last answer. */
  #mayRead(): boolean {
    return this.handler?.mayRead() ?? (this.#isOurs || this.#unsent === 0);
  }

  #openIntake(): MessageIntake {
    const { stream, isUnary } = this.#call;
    const { messageBudget, limits } = this.#settings;
    return new MessageIntake({
      stream,
      isUnary,
      maxBytes: this.#isOurs ? limits.maxRequestBytes : openServiceBytes,
      budget: this.#isOurs ? messageBudget : undefined,
      limits,
      caller: () => this.#caller,
      mayRead: () => this.#mayRead(),
      read: () => this.#next.startRead(),
      deliver: (message) => this.#deliver(message),
      refuse: (error) => this.#refuse(error),
    });
  }

  #open(metadata: Metadata, listener: Listener): void {
    const { path, method, encoding = 'identity', isUnary } = this.#call;
    const { authenticate, scopes } = this.#settings;
    const headers = {
      path,
      endpoint: method?.endpoint,
      metadata,
      peer: this.#next.getPeer(),
      deadlineMs: Number(this.#next.getDeadline()),
    };
    this.#callScope = new CallScope(headers, authenticate, scopes);
    if (this.#isOurs && isUnary) this.#scope = this.#callScope.begin();
    try {
      if (this.#isOurs) this.#caller = this.#callScope.authenticate();
      if (this.#scope !== undefined) this.#scope.caller = this.#caller;
      this.#takePlace();
    } catch (thrown) {
      this.#refuse(ServiceError.from(thrown));
      return;
    }
    if (encoding !== 'identity') this.#refuse(callFailure.compressed(encoding), status.UNIMPLEMENTED);
    else if (method?.answer !== undefined) this.#intake.start();
    else {
      metadata.setOpaque(opaqueKey, this);
      listener.onReceiveMetadata(metadata);
    }
  }

  /** Counts the call. Health checks are never refused for other callers' calls: too many replace the oldest. */
  #takePlace(): void {
    const { callBudget, limits } = this.#settings;
    if (!this.#isCheck) {
      this.#place = callBudget.reserve(1, this.#caller);
      return;
    }
    const { halfSentChecks } = this.#call;
    halfSentChecks.add(this);
    const [oldest] = halfSentChecks;
    if (halfSentChecks.size <= limits.maxHalfSentChecks || oldest === undefined) return;
    oldest.#refuse(callFailure.tooManyChecks());
  }

  #deliver(message: unknown): void {
    this.#call.halfSentChecks.delete(this);
    const answer = this.#call.method?.answer;
    if (answer === undefined) this.#listener?.onReceiveMessage(message);
    else answer(this, message as RequestMessage);
  }

  #refuse(error: ServiceError, code = grpcStatus(error.code)): void {
    if (this.#isOver || this.#isAnswered) return;
    this.#isOver = true;
    this.#intake.close();
    this.report(error, code);
    if (this.handler === undefined) this.sendStatus(statusOf(error, this.callScope.requestId, code));
    else this.handler.refuse(error);
  }

  #halfClose(listener: Listener): void {
    if (this.#call.isUnary && this.#intake.hasDelivered) return;
    if (!this.#call.isUnary && !this.#intake.isInside) listener.onReceiveHalfClose();
    else this.#refuse(callFailure.incomplete());
  }

  #end(): void {
    this.#place?.release();
    this.#call.halfSentChecks.delete(this);
    // A message that waits for room is cancelled below, which is no refusal.
    this.#isOver = true;
    this.#hasEnded = true;
    this.#intake.close();
    if (!this.#isAnswered) {
      const isLate = Date.now() >= Number(this.#next.getDeadline()) - clockMarginMs;
      const reason = isLate ? callFailure.late() : callFailure.gone();
      this.#abort.abort(reason);
      if (this.#scope !== undefined && !this.#intake.hasDelivered) this.report(reason);
    }
    for (const listener of this.#onEnd) listener();
  }
}
