import type { ServiceError } from './errors.ts';

/** Takes room for what a request sends; throws `overloaded` when there is none. Gives what frees the room again. */
export type AdmitBytes = (sizeBytes: number) => () => void;

/** Where no room is bounded. */
export const admitAny: AdmitBytes = () => () => undefined;

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
