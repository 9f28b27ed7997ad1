import { ServiceError } from './errors.ts';

/** Bounds the bytes of request bodies that are held at one time, from before they are read until their images are encoded. */
export class BodyAdmission {
  readonly #maxBytes: number;
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes room for a body and gives what frees it, once. Throws `overloaded` where there is none now. */
  admit(sizeBytes: number): () => void {
    if (this.#heldBytes + sizeBytes > this.#maxBytes) {
      throw new ServiceError(
        'overloaded',
        'The service holds as many request bytes as it may; try again later.',
      );
    }
    this.#heldBytes += sizeBytes;
    let held = true;
    return () => {
      if (held) this.#heldBytes -= sizeBytes;
      held = false;
    };
  }
}
