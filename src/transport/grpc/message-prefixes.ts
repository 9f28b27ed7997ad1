export interface PrefixListener {
  /** A message of so many bytes begins. What this throws ends the reading. */
  begin(sizeBytes: number): void;
  /** One more piece of its bytes has come. */
  add(sizeBytes: number): void;
}

/** Of each message on the wire: a flag, and the length of its bytes. */
const prefixBytes = 5;

/** Finds where messages begin in a call's bytes, of which it keeps none. */
export class MessagePrefixes {
  readonly #listener: PrefixListener;
  readonly #prefix = Buffer.alloc(prefixBytes);
  #filledBytes = 0;
  #leftBytes = 0;

  constructor(listener: PrefixListener) {
    this.#listener = listener;
  }

  /** Whether a message has begun and has not wholly come. */
  get isInside(): boolean {
    return this.#filledBytes > 0;
  }

  read(chunk: Buffer): void {
    for (let at = 0; at < chunk.byteLength; ) {
      if (this.#filledBytes < prefixBytes) {
        const taken = chunk.copy(this.#prefix, this.#filledBytes, at, at + prefixBytes - this.#filledBytes);
        this.#filledBytes += taken;
        at += taken;
        if (this.#filledBytes < prefixBytes) return;
        this.#leftBytes = this.#prefix.readUInt32BE(1);
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
