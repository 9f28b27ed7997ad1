import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Budget } from '../../admission/budget.ts';
import type { Caller } from '../../admission/caller.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { ArrivingMessage } from './arriving-message.ts';
import { callFailure } from './call-failures.ts';
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
  /** Has grpc-js read one message. */
  read(): void;
  /** Passes a message to the handler. */
  deliver(message: unknown): void;
  /** Ends the call, or the reading of a stream, because a message cannot be accepted. */
  refuse(error: ServiceError): void;
}

/**
 * Admits the messages of a call: reserves bytes for each before the rest of it is read, and limits the time it takes to
 * arrive. HTTP/2's flow control holds the client back meanwhile.
 *
 * grpc-js reads and decodes. It has no hook for a message's length, so this listens on the same stream, ahead of
 * grpc-js, and pauses the stream while a message waits. It relies on grpc-js to read by `data` events and to resume the
 * stream in `startRead()` only.
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
  /** Whether grpc-js has been asked for the message that the handler waits for. */
  #isAsked = false;
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
    if (this.#isAsked) this.#call.stream.resume();
    else {
      this.#isAsked = true;
      this.#call.read();
    }
    this.#holdOrTime();
  }

  /** Takes a complete message from grpc-js. The handler gets it once it is admitted. */
  receive(message: unknown): void {
    this.#requestRoom();
    this.#isReading = false;
    this.#isAsked = false;
    this.#stopTimer();
    const [arrived] = this.#messages;
    const deliver = (): void => {
      if (this.#isClosed) return;
      this.#messages.shift();
      if (arrived !== undefined && message instanceof RequestMessage) message.charge(arrived.complete());
      this.#hasDelivered = true;
      this.#call.deliver(message);
    };
    if (arrived?.room === undefined) deliver();
    else arrived.room.then(deliver, () => undefined);
  }

  /** Stops reading, and releases what is held or waited for. */
  close(): void {
    this.#isClosed = true;
    this.#stopTimer();
    for (const message of this.#messages) message.cancel(callFailure.gone);
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
      throw callFailure.tooLarge(sizeBytes, maxBytes, budget === undefined ? '' : ' (--max-body-bytes)');
    if (budget === undefined) return;
    this.#arriving = new ArrivingMessage(sizeBytes, budget, this.#call.caller());
    this.#messages.push(this.#arriving);
  }

  #add(sizeBytes: number): void {
    // Messages that hold room and wait for more could wait for each other forever.
    if (this.#arriving?.add(sizeBytes) === true) this.#waitFor(this.#arriving, true);
  }

  /** Requests room for the message that the handler gets next. */
  #requestRoom(): void {
    const [message] = this.#messages;
    if (message === undefined || message.isRequested) return;
    message.request();
    // A message of a stream waits as long as its call lasts: the client is held back and loses nothing.
    if (message.room !== undefined) this.#waitFor(message, this.#call.isUnary);
  }

  /** Reads on once there is room for a message. */
  #waitFor(message: ArrivingMessage, isLimited: boolean): void {
    const { budget, limits } = this.#call;
    const refusal = (): ServiceError => budget!.full();
    const timer = isLimited ? setTimeout(() => message.cancel(refusal), limits.waitMs) : undefined;
    void message
      .room!.finally(() => clearTimeout(timer))
      .then(
        () => this.readOn(),
        (thrown: unknown) => this.#call.refuse(ServiceError.from(thrown)),
      );
  }

  #holdOrTime(): void {
    const isHeld = this.#arriving?.isHeld === true;
    if (isHeld) this.#call.stream.pause();
    // The message of a unary call is due from the start; a stream may be silent between two.
    const isDue = this.#prefixes.isInside || (this.#call.isUnary && !this.#hasBegun);
    if (isDue && !isHeld && this.#isReading) this.#startTimer();
    else this.#stopTimer();
  }

  #startTimer(): void {
    const { arriveMs } = this.#call.limits;
    this.#late ??= setTimeout(() => this.#call.refuse(callFailure.notArrived(arriveMs)), arriveMs);
  }

  #stopTimer(): void {
    if (this.#late === undefined) return;
    clearTimeout(this.#late);
    this.#late = undefined;
  }
}
