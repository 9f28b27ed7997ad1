import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Budget } from '../../admission/budget.ts';
import type { Caller } from '../../admission/caller.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { ArrivingMessage } from './arriving-message.ts';
import type { GrpcLimits } from './limits.ts';
import { MessagePrefixes } from './message-prefixes.ts';
import { RequestMessage } from './request-message.ts';

/** The call that messages arrive for. */
export interface IntakeCall {
  readonly stream: ServerHttp2Stream;
  /** Whether the client sends exactly one message. */
  readonly isUnary: boolean;
  readonly maxBytes: number;
  /** Undefined if messages are too small to count. */
  readonly budget: Budget | undefined;
  readonly limits: Pick<GrpcLimits, 'arriveMs' | 'waitMs'>;
  /** Who sends the messages. */
  caller(): Caller;
  /** Whether the handler has room for another message. */
  mayRead(): boolean;
  /** Has grpc-js read one message. Called again during that read, it resumes a paused stream. */
  read(): void;
  /** Passes a message to the handler. */
  deliver(message: unknown): void;
  /** Ends the call, or the reading of a stream, because a message cannot be accepted. */
  refuse(error: ServiceError): void;
}

/**
 * Admits the messages of a call: reserves bytes for each before the rest of it is read, and limits the time it takes to
 * arrive. HTTP/2's flow control holds the client back meanwhile. grpc-js does the reading and decoding; this listens on
 * the same stream ahead of it, and so knows a message's length before any of it is kept.
 */
export class MessageIntake {
  readonly #call: IntakeCall;
  readonly #prefixes: MessagePrefixes;
  /** Messages that have begun to arrive and have not reached the handler, in order. */
  readonly #messages: ArrivingMessage[] = [];
  /** The message whose bytes arrive now. */
  #arriving: ArrivingMessage | undefined;
  #late: NodeJS.Timeout | undefined;
  /** Whether the handler waits for a message, or for the client to half-close. */
  #isReading = false;
  #hasBegun = false;
  #hasDelivered = false;
  #isClosed = false;

  constructor(call: IntakeCall) {
    this.#call = call;
    this.#prefixes = new MessagePrefixes({
      begin: (sizeBytes) => this.#begin(sizeBytes),
      add: (sizeBytes) => this.#add(sizeBytes),
    });
    call.stream.prependListener('data', (chunk: Buffer) => this.#take(chunk));
  }

  /** Whether the handler has received a message. */
  get hasDelivered(): boolean {
    return this.#hasDelivered;
  }

  /** Whether a message has begun to arrive and is not complete. */
  get isInside(): boolean {
    return this.#prefixes.isInside;
  }

  /** Reads the next message for the handler. */
  start(): void {
    this.#isReading = true;
    this.readOn();
  }

  /** Reads on if the handler waits for a message and may have one. */
  readOn(): void {
    if (!this.#isReading || this.#isClosed || !this.#call.mayRead()) return;
    this.#requestRoom();
    this.#call.read();
    this.#holdOrTime();
  }

  /** Takes a complete message from grpc-js. The handler gets it once it is admitted. */
  receive(message: unknown): void {
    this.#requestRoom();
    this.#isReading = false;
    this.#stopTimer();
    const [arrived] = this.#messages;
    const deliver = (): void => {
      if (this.#isClosed) return;
      this.#messages.shift();
      if (arrived !== undefined && message instanceof RequestMessage) message.charge(arrived.complete());
      this.#hasDelivered = true;
      this.#call.deliver(message);
    };
    if (arrived?.admitted === undefined) deliver();
    else arrived.admitted.then(deliver, () => undefined);
  }

  /** Stops reading, for `reason`, and releases what is held or waited for. */
  close(reason: ServiceError): void {
    this.#isClosed = true;
    this.#stopTimer();
    for (const message of this.#messages) message.cancel(reason);
  }

  #take(chunk: Buffer): void {
    if (this.#isClosed) return;
    try {
      this.#prefixes.read(chunk);
      if (this.#isReading) this.#requestRoom();
      this.#holdOrTime();
    } catch (thrown) {
      // A stream may end later, after the answers under way: grpc-js must not read on until then.
      this.#call.stream.pause();
      this.#call.refuse(ServiceError.from(thrown));
    }
  }

  #begin(sizeBytes: number): void {
    const { stream, isUnary, maxBytes, budget } = this.#call;
    this.#arriving = undefined;
    if (isUnary && this.#hasBegun) {
      // Nobody reads a second message. A client without a key must not even leave one unread.
      if (budget === undefined) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return;
    }
    this.#hasBegun = true;
    if (sizeBytes > maxBytes)
      throw tooLarge(sizeBytes, maxBytes, budget === undefined ? '' : ' (--max-body-bytes)');
    if (budget === undefined) return;
    this.#arriving = new ArrivingMessage(sizeBytes);
    this.#messages.push(this.#arriving);
  }

  #add(sizeBytes: number): void {
    const message = this.#arriving;
    const room = message?.add(sizeBytes);
    // Messages that hold room and wait for more could wait for each other forever.
    if (message !== undefined && room !== undefined) this.#waitFor(room, message, true);
  }

  /** Requests room for the message that the handler gets next. */
  #requestRoom(): void {
    const { budget, isUnary } = this.#call;
    const [message] = this.#messages;
    if (budget === undefined || message === undefined || message.admitted !== undefined) return;
    // A message of a stream waits as long as its call lasts: the client is held back and loses nothing.
    this.#waitFor(message.request(budget, this.#call.caller()), message, isUnary);
  }

  /** Reads on once there is room for a message. */
  #waitFor(room: Promise<void>, message: ArrivingMessage, isLimited: boolean): void {
    const { budget, limits } = this.#call;
    const timer = isLimited ? setTimeout(() => message.cancel(budget!.full()), limits.waitMs) : undefined;
    void room
      .finally(() => clearTimeout(timer))
      .then(
        () => this.readOn(),
        (refusal: unknown) => this.#call.refuse(ServiceError.from(refusal)),
      );
  }

  #holdOrTime(): void {
    const isHeld = this.#arriving?.isWaiting === true;
    if (isHeld) this.#call.stream.pause();
    // The message of a unary call is due from the start; a stream may be silent between two.
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

function tooLarge(sizeBytes: number, maxBytes: number, flag: string): ServiceError {
  const [size, limit] = [sizeBytes, maxBytes].map((value) => value.toLocaleString('en-US'));
  return new ServiceError('too_large', `The message has ${size} bytes; the limit is ${limit}${flag}.`);
}
