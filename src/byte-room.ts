import type { ServiceError } from './errors.ts';

/** Bounds bytes that are held at one time. */
export class ByteRoom {
  readonly #maxBytes: number;
  readonly #full: () => ServiceError;
  #heldBytes = 0;

  /** `full` makes the error for what finds no room. */
  constructor(maxBytes: number, full: () => ServiceError) {
    this.#maxBytes = maxBytes;
    this.#full = full;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Throws where there is no room now; takes none. */
  require(sizeBytes: number): void {
    if (this.#heldBytes + sizeBytes > this.#maxBytes) throw this.#full();
  }

  /** Takes room and gives what frees it, once. Throws where there is none now. */
  admit(sizeBytes: number): () => void {
    this.require(sizeBytes);
    this.#heldBytes += sizeBytes;
    let held = true;
    return () => {
      if (held) this.#heldBytes -= sizeBytes;
      held = false;
    };
  }
}
