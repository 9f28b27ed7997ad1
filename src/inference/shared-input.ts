import { byteLengthOf } from '../tokens/tensor.ts';

/**
 * Shared memory for the views of batches, which an engine's thread reads without a copy of its own. Released memory is used
 * again: fresh memory costs several times as much as copying pixels into it.
 */
export class SharedInput {
  #slotBytes = 0;
  #free: SharedArrayBuffer[] = [];

  /** Copies views into shared memory, one after the other. The caller must release it. */
  copyIn(views: readonly Uint8Array[]): Uint8Array<SharedArrayBuffer> {
    const sizeBytes = byteLengthOf(views);
    if (sizeBytes > this.#slotBytes) {
      this.#slotBytes = sizeBytes;
      this.#free = [];
    }
    const slot = this.#free.pop() ?? new SharedArrayBuffer(this.#slotBytes);
    const input = new Uint8Array(slot, 0, sizeBytes);
    let offset = 0;
    for (const view of views) {
      input.set(view, offset);
      offset += view.byteLength;
    }
    return input;
  }

  /** Releases memory for the next batch. Call it once, when nobody reads the views any more. */
  release({ buffer }: Uint8Array<SharedArrayBuffer>): void {
    if (buffer.byteLength === this.#slotBytes) this.#free.push(buffer);
  }
}
