import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Budget } from '../../admission/budget.ts';
import type { Caller } from '../../admission/caller.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { ArrivingMessage, RequestMessage } from './arriving-message.ts';
import type { GrpcLimits } from './limits.ts';
import { MessagePrefixes } from './message-prefixes.ts';

/** The call that messages come for. */
export interface IntakeCall {
  readonly stream: ServerHttp2Stream;
  /** Whether the client sends one message. */
  readonly isUnary: boolean;
  readonly maxBytes: number;
  /** Undefined where messages are so small that they need no room. */
  readonly budget: Budget | undefined;
  readonly limits: Pick<GrpcLimits, 'arriveMs' | 'waitMs'>;
  /** Whose bytes they are. */
  caller(): Caller;
  /** Whether the handler may have another message now. */
  mayRead(): boolean;
  /** Has grpc-js read one message. While it reads, a further call resumes a stream that was paused. */
  read(): void;
  /** Hands a message to the handler. */
  deliver(message: unknown): void;
  /** Ends the call, or the reading of it, before a message has arrived. */
  refuse(error: ServiceError): void;
}

/**
 * Lets the messages of a call in: reserves bytes for each before its stream is read on, and bounds the time in which it
 * arrives. HTTP/2's flow control holds the client meanwhile. It stands before grpc-js, which reads and decodes, on the
 * stream, and knows how long a message is before any of it is kept.
 */
export class MessageIntake {
  readonly #call: IntakeCall;
  readonly #prefixes: MessagePrefixes;
  /** Those that have begun and that the handler has not got. */
  readonly #messages: ArrivingMessage[] = [];
  /** The one whose bytes come now. */
  #arriving: ArrivingMessage | undefined;
  #late: NodeJS.Timeout | undefined;
  /** The handler waits for a message, or for the client to end its side. */
  #isReading = false;
  #hasBegun = false;
  #hasDelivered = false;
  #isClosed = false;

  constructor(call: IntakeCall) {
    this.#call = call;
    this.#prefixes = new MessagePrefixes({
      begin: (sizeBytes) => this.#begin(sizeBytes),
      add: (sizeBytes) => this.#arriving?.add(sizeBytes),
    });
    call.stream.prependListener('data', (chunk: Buffer) => this.#take(chunk));
  }

  /** Whether the handler has got a message. */
  get hasDelivered(): boolean {
    return this.#hasDelivered;
  }

  /** Whether a message has begun and has not wholly come. */
  get isInside(): boolean {
    return this.#prefixes.isInside;
  }

  /** The handler wants the next message. */
  start(): void {
    this.#isReading = true;
    this.readOn();
  }

  /** Reads on where nothing is against it any more. */
  readOn(): void {
    if (!this.#isReading || this.#isClosed || !this.#call.mayRead()) return;
    this.#call.read();
    this.#holdOrTime();
  }

  /** A message has come whole. The handler gets it when it has its room. */
  receive(message: unknown): void {
    this.#isReading = false;
    this.#stopTimer();
    const [arrived] = this.#messages;
    const deliver = (): void => {
      if (this.#isClosed) return;
      this.#messages.shift();
      if (arrived !== undefined && message instanceof RequestMessage) message.charge(arrived.whole());
      this.#hasDelivered = true;
      this.#call.deliver(message);
    };
    if (arrived === undefined) deliver();
    else arrived.admitted.then(deliver, () => undefined);
  }

  /** Reads nothing more, and gives up what waits and what is held, for `reason`. */
  close(reason: ServiceError): void {
    this.#isClosed = true;
    this.#stopTimer();
    for (const message of this.#messages) message.cancel(reason);
  }

  #take(chunk: Buffer): void {
    if (this.#isClosed) return;
    try {
      this.#prefixes.read(chunk);
      this.#holdOrTime();
    } catch (thrown) {
      // Before that, so that grpc-js reads nothing more of a stream that ends after the answers under way.
      this.#call.stream.pause();
      this.#call.refuse(ServiceError.from(thrown));
    }
  }

  #begin(sizeBytes: number): void {
    const { stream, isUnary, maxBytes, budget, limits } = this.#call;
    this.#arriving = undefined;
    if (isUnary && this.#hasBegun) {
      // Nobody reads a second message. Where no key is needed, none may lie unread either. Not at once: node:http2 of Node
      // 20 loops for ever when a stream is reset while its data is being received.
      if (budget === undefined) setImmediate(() => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM));
      return;
    }
    this.#hasBegun = true;
    if (sizeBytes > maxBytes) throw tooLarge(sizeBytes, maxBytes);
    if (budget === undefined) return;
    const message = new ArrivingMessage(sizeBytes, budget, this.#call.caller());
    this.#arriving = message;
    this.#messages.push(message);
    // A message of a stream waits as long as its call lasts: flow control holds its client back.
    const timer = isUnary ? setTimeout(() => message.cancel(budget.full()), limits.waitMs) : undefined;
    void message.admitted
      .finally(() => clearTimeout(timer))
      .then(
        () => this.readOn(),
        (refusal: unknown) => this.#call.refuse(ServiceError.from(refusal)),
      );
  }

  #holdOrTime(): void {
    const isHeld = this.#arriving?.isWaiting === true;
    if (isHeld) this.#call.stream.pause();
    // A unary call's message is due from the start; a stream may be silent between two.
    const isDue = this.#prefixes.isInside || (this.#call.isUnary && !this.#hasBegun);
    if (isDue && !isHeld && this.#isReading) this.#startTimer();
    else this.#stopTimer();
  }

  #startTimer(): void {
    const { arriveMs } = this.#call.limits;
    this.#late ??= setTimeout(() => {
      const limit = `${Math.round(arriveMs / 1000)} s`;
      this.#call.refuse(new ServiceError('deadline_exceeded', `The message did not arrive within ${limit}.`));
    }, arriveMs);
  }

  #stopTimer(): void {
    clearTimeout(this.#late);
    this.#late = undefined;
  }
}

function tooLarge(sizeBytes: number, maxBytes: number): ServiceError {
  const [size, limit] = [sizeBytes, maxBytes].map((value) => value.toLocaleString('en-US'));
  return new ServiceError('too_large', `The message has ${size} bytes; at most ${limit} are taken.`);
}
