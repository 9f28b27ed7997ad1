import { constants, type ServerHttp2Stream } from 'node:http2';
import { ArrivingRoom } from '../../admission/arriving-room.ts';
import { ServiceError } from '../../errors/service-error.ts';

/** A message as grpc-js has it, which keeps this until the call ends: the bytes are let go of before. */
export interface ArrivedMessage {
  bytes: Buffer;
}

/** Room for a message, from before it arrives. */
export interface MessageRoom {
  /** Why the message was not let in: all that came of it is its id. */
  readonly refusal: ServiceError | undefined;
  /** To be called when its length is known, which is another than came where it was compressed. */
  readonly settle: (sizeBytes: number) => void;
  /** To be called when its bytes have been let go of. */
  readonly release: () => void;
}

export interface DoorSettings {
  /** Takes room for a message of so many bytes; throws where there is none. */
  readonly admit: (sizeBytes: number) => () => void;
  readonly maxBytes: number;
  /** Whether its handlers ask for the refusal of a larger one. A call is ended at once whose handler would not. */
  readonly refuses: boolean;
  /** The longest that a message may take to arrive. */
  readonly arriveMs: number;
  /** Whether there is one message, which is due from the start. */
  readonly isUnary: boolean;
}

/** Of a frame of gRPC over HTTP/2: whether it is compressed, and its length. */
const headBytes = 5;

/** The id of a StreamEncodeRequest is in them: its first field, of at most 128 characters. */
const prefixBytes = 3 + 4 * 128;

/** How long a client whose call has been answered may take to end its side. */
const endMs = 1000;

/** Of a message that has been let go of, or was not let in. */
export const noBytes = Buffer.alloc(0);
const free = (): void => undefined;

/** Of a message that takes none, or has been refused. */
export function noRoom(refusal?: ServiceError): MessageRoom {
  return { refusal, settle: free, release: free };
}

/**
 * Stands before grpc-js on a call's HTTP/2 stream: takes room for each message as it arrives, and lets none take
 * memory that finds no room or does not arrive in time. Of such a message grpc-js gets the id alone, or an empty
 * one, and the handler has the refusal by `next()`.
 */
export class MessageDoor {
  readonly #stream: ServerHttp2Stream;
  readonly #settings: DoorSettings;
  readonly #push: (chunk: Buffer | null) => boolean;
  readonly #head = Buffer.alloc(headBytes);
  #headFilled = 0;
  /** Of the message that arrives: its length, what of it is to come, */
  #bodyBytes = 0;
  #leftBytes = 0;
  /** and what has come and is kept, behind its head, in a buffer that grows. */
  #kept = noBytes;
  #keptBytes = 0;
  #room: MessageRoom | undefined;
  #arriving: ArrivingRoom | undefined;
  /** What comes of it is thrown away: grpc-js has been given something in its place. */
  #isPassedOn = false;
  /** Of the messages that grpc-js has been given, and no handler has taken. */
  readonly #given: MessageRoom[] = [];
  /** Whether a message is to come, or the rest of one; its time runs while it is read. */
  #isDue = false;
  #late: NodeJS.Timeout | undefined;
  /** grpc-js has been told that nothing more comes: it answers no unary call before. */
  #isEnded = false;
  /** The client has said so. */
  #clientHasEnded = false;
  #closing: NodeJS.Timeout | undefined;

  constructor(stream: ServerHttp2Stream, settings: DoorSettings) {
    this.#stream = stream;
    this.#settings = settings;
    this.#push = stream.push.bind(stream);
    // Where node:http2 puts what it has read.
    stream.push = (chunk: Buffer | null) => {
      if (chunk === null) this.#clientHasEnded = true;
      return chunk === null ? this.#end() : this.#isEnded || this.#take(chunk);
    };
    stream.on('pause', () => this.#stopTimer());
    stream.on('resume', () => {
      // A Readable asks for more after a push alone, and what is kept here was none.
      if (!stream.destroyed) stream['_read'](0);
      if (this.#isDue) this.#startTimer();
    });
    stream.once('finish', () => this.#dropTheRest());
    stream.once('close', () => this.#close());
    if (settings.isUnary) this.#await();
  }

  /** The room of the message that a handler has come to. */
  next(): MessageRoom {
    return this.#given.shift() ?? noRoom();
  }

  /** Refuses a message that is due, or has begun, and has not wholly arrived. */
  refuse(refusal: ServiceError): void {
    if (!this.#isDue || this.#isPassedOn) return;
    this.#room?.release();
    this.#room = noRoom(refusal);
    if (this.#headFilled === headBytes) this.#passOnId();
    else this.#passOn(noBytes);
  }

  #await(): void {
    this.#isDue = true;
    this.#startTimer();
  }

  #startTimer(): void {
    const { arriveMs } = this.#settings;
    clearTimeout(this.#late);
    this.#late = setTimeout(() => {
      const limit = `${Math.round(arriveMs / 1000)} s`;
      this.refuse(new ServiceError('deadline_exceeded', `The message did not arrive within ${limit}.`));
    }, arriveMs);
  }

  #take(chunk: Buffer): boolean {
    let goesOn = true;
    for (let from = 0; from < chunk.byteLength && !this.#isEnded; ) {
      if (this.#headFilled < headBytes) {
        if (!this.#isDue) this.#await();
        const taken = chunk.copy(this.#head, this.#headFilled, from, from + headBytes - this.#headFilled);
        this.#headFilled += taken;
        from += taken;
        if (this.#headFilled === headBytes) this.#begin();
      } else {
        const part = chunk.subarray(from, from + this.#leftBytes);
        from += part.byteLength;
        this.#leftBytes -= part.byteLength;
        this.#keep(part);
      }
      if (this.#headFilled < headBytes) continue;
      if (this.#leftBytes === 0) goesOn = this.#finish();
      else if (this.#hasId()) goesOn = this.#passOnId();
    }
    return goesOn;
  }

  /** A message's length is known. */
  #begin(): void {
    this.#bodyBytes = this.#head.readUInt32BE(1);
    this.#leftBytes = this.#bodyBytes;
    if (this.#isPassedOn) return;
    const { admit, maxBytes, refuses } = this.#settings;
    if ((this.#leftBytes > maxBytes || this.#isCompressed) && !refuses) {
      this.#isPassedOn = true;
      this.#stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return;
    }
    try {
      if (this.#leftBytes > maxBytes) throw tooLarge(this.#leftBytes, maxBytes);
      // Of what is compressed nobody knows how long it is.
      const arriving = new ArrivingRoom(admit, this.#isCompressed ? maxBytes : this.#leftBytes);
      this.#arriving = arriving;
      this.#room = {
        refusal: undefined,
        settle: (sizeBytes) => arriving.settle(sizeBytes),
        release: () => arriving.release(),
      };
    } catch (thrown) {
      this.#turnAway(thrown);
    }
  }

  #keep(part: Buffer): void {
    if (this.#isPassedOn) return;
    this.#append(part);
    try {
      if (this.#room?.refusal === undefined) this.#arriving?.add(part.byteLength);
    } catch (thrown) {
      this.#turnAway(thrown);
    }
  }

  /** One buffer, not a list: of a message in frames of a byte each that would be a hundred times as large. */
  #append(part: Buffer): void {
    const wanted = headBytes + this.#keptBytes + part.byteLength;
    if (wanted > this.#kept.byteLength) {
      const most = headBytes + this.#bodyBytes;
      const larger = Buffer.allocUnsafeSlow(Math.min(most, Math.max(2 * this.#kept.byteLength, wanted)));
      this.#kept.copy(larger, 0, 0, headBytes + this.#keptBytes);
      this.#kept = larger;
    }
    this.#keptBytes += part.copy(this.#kept, headBytes + this.#keptBytes);
  }

  #turnAway(thrown: unknown): void {
    this.#arriving?.release();
    this.#room = noRoom(ServiceError.from(thrown));
  }

  /** Whether as much has come of a refused message as is wanted of it: a unary call has no id. */
  #hasId(): boolean {
    if (this.#room?.refusal === undefined || this.#isPassedOn) return false;
    return this.#settings.isUnary || this.#keptBytes >= prefixBytes;
  }

  get #isCompressed(): boolean {
    return this.#head[0] !== 0;
  }

  #passOnId(): boolean {
    const prefix = this.#kept.subarray(headBytes, headBytes + Math.min(this.#keptBytes, prefixBytes));
    return this.#passOn(this.#isCompressed ? noBytes : firstField(prefix));
  }

  /** A message of these bytes, in place of the one that arrives. */
  #passOn(bytes: Buffer): boolean {
    const head = Buffer.alloc(headBytes);
    head.writeUInt32BE(bytes.byteLength, 1);
    return this.#give(Buffer.concat([head, bytes]));
  }

  #finish(): boolean {
    let goesOn = true;
    if (!this.#isPassedOn) {
      if (this.#isCompressed) this.#makeRoomForAll();
      goesOn = this.#room?.refusal === undefined ? this.#give(this.#whole()) : this.#passOnId();
    }
    this.#stopWaiting();
    this.#headFilled = 0;
    this.#isPassedOn = false;
    return goesOn;
  }

  /** grpc-js decompresses it at once, whatever comes of it. */
  #makeRoomForAll(): void {
    try {
      if (this.#room?.refusal === undefined) this.#arriving?.takeAll();
    } catch (thrown) {
      this.#turnAway(thrown);
    }
  }

  #whole(): Buffer {
    if (this.#keptBytes === 0) return Buffer.from(this.#head);
    this.#head.copy(this.#kept);
    return this.#kept.subarray(0, headBytes + this.#keptBytes);
  }

  #give(message: Buffer): boolean {
    // Nobody asks for the room of the others.
    if (this.#settings.refuses) this.#given.push(this.#room!);
    this.#room = undefined;
    this.#dropKept();
    this.#isPassedOn = true;
    const goesOn = this.#push(message);
    // grpc-js waits for the client to end its side, which may never be.
    return this.#settings.isUnary ? this.#end() : goesOn;
  }

  /**
   * The call has been answered: nobody reads what is left, and a stream that is not read to its end does not close; nor
   * does one whose client goes on sending, or does not end its side.
   */
  #dropTheRest(): void {
    const stream = this.#stream;
    this.#letGo();
    stream.removeAllListeners('data').resume();
    this.#end();
    if (this.#clientHasEnded) return;
    const close = (): void => stream.close(constants.NGHTTP2_NO_ERROR);
    // A refused unary call has its status in its headers; elsewhere trailers are still to go.
    if (this.#settings.isUnary && this.#leftBytes > 0) setImmediate(close);
    else this.#closing = setTimeout(close, endMs);
  }

  /** What is half a message then is grpc-js's to refuse. */
  #end(): boolean {
    this.#stopWaiting();
    if (this.#isEnded) return true;
    this.#isEnded = true;
    return this.#push(null);
  }

  /** Of what has come and was not passed on. */
  #letGo(): void {
    this.#room?.release();
    this.#dropKept();
  }

  #dropKept(): void {
    this.#kept = noBytes;
    this.#keptBytes = 0;
  }

  #stopWaiting(): void {
    this.#isDue = false;
    this.#stopTimer();
  }

  #stopTimer(): void {
    clearTimeout(this.#late);
  }

  #close(): void {
    clearTimeout(this.#closing);
    this.#stopWaiting();
    this.#letGo();
    for (const { release } of this.#given.splice(0)) release();
  }
}

function tooLarge(sizeBytes: number, maxBytes: number): ServiceError {
  const [size, limit] = [sizeBytes, maxBytes].map((value) => value.toLocaleString('en-US'));
  return new ServiceError('too_large', `The message has ${size} bytes; at most ${limit} are taken.`);
}

/** Field 1 of a message, where it comes first, is whole, and has a length of its own; else nothing. */
function firstField(bytes: Buffer): Buffer {
  const [tag, low = 0, high = 0] = bytes;
  if (tag !== 0x0a) return noBytes;
  const end = low < 0x80 ? 2 + low : 3 + (low & 0x7f) + (high << 7);
  return end <= bytes.byteLength ? bytes.subarray(0, end) : noBytes;
}
