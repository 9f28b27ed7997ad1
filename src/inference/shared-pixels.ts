import { byteLengthOf } from '../tokens/tensor.ts';

/**
 * Memory for the pixels of batches, which an engine's thread reads without a copy of its own. What was given back
 * is used again: fresh memory costs several times what copying into it does.
 */
export class SharedPixels {
  #slotBytes = 0;
  #free: SharedArrayBuffer[] = [];

  /** Copies views into a slot, one after the other. It is the caller's until given back. */
  copyIn(views: readonly Uint8Array[]): Uint8Array<SharedArrayBuffer> {
    const sizeBytes = byteLengthOf(views);
    if (sizeBytes > this.#slotBytes) {
      this.#slotBytes = sizeBytes;
      this.#free = [];
    }
    const slot = this.#free.pop() ?? new SharedArrayBuffer(this.#slotBytes);
    const pixels = new Uint8Array(slot, 0, sizeBytes);
    let offset = 0;
    for (const view of views) {
      pixels.set(view, offset);
      offset += view.byteLength;
    }
    return pixels;
  }

  /** For the next batch; once, and when nobody reads it any more. */
  release({ buffer }: Uint8Array<SharedArrayBuffer>): void {
    if (buffer.byteLength === this.#slotBytes) this.#free.push(buffer);
  }
}
