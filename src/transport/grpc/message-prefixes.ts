export interface PrefixListener {
  /** A message of `sizeBytes` begins. May throw, which ends the reading. */
  begin(sizeBytes: number): void;
  /** A piece of the message has arrived. */
  add(sizeBytes: number): void;
}

/** A flag, and the length of the message. */
const prefixBytes = 5;

/** Finds the length prefixes of a call's messages as its bytes pass by, and keeps none of the bytes. */
export class MessagePrefixes {
  readonly #listener: PrefixListener;
  /** How much of the prefix has arrived. */
  #filledBytes = 0;
  /** The length as far as it has arrived, then how much of the message is still to come. */
  #leftBytes = 0;

  constructor(listener: PrefixListener) {
    this.#listener = listener;
  }

  /** Whether a message has begun to arrive and is not complete. */
  get isInside(): boolean {
    return this.#filledBytes > 0;
  }

  read(chunk: Buffer): void {
    for (let at = 0; at < chunk.byteLength; ) {
      if (this.#filledBytes < prefixBytes) {
        const byte = chunk[at++]!;
        this.#leftBytes = this.#filledBytes === 0 ? 0 : this.#leftBytes * 256 + byte;
        this.#filledBytes++;
        if (this.#filledBytes < prefixBytes) continue;
        this.#listener.begin(this.#leftBytes);
      } else {
        const taken = Math.min(this.#leftBytes, chunk.byteLength - at);
        this.#leftBytes -= taken;
        at += taken;
        this.#listener.add(taken);
      }
      if (this.#leftBytes === 0) this.#filledBytes = 0;
    }
  }
}
