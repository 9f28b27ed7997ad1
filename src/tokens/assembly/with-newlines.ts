import type { KernelLayout, TokenKernel } from '../kernel.ts';
import { tokenBytes, type TokenRows } from './token-rows.ts';

/** A map with one more token, the newline, at the end of each row; the newline alone where there is no map. */
export class WithNewlines implements TokenRows {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly #map: TokenRows | undefined;
  readonly #newline: Uint8Array;
  readonly #rowAddress: number;

  /** `newline` is one token, as float32. */
  constructor(memory: KernelLayout, map: TokenRows | undefined, height: number, newline: Uint8Array) {
    this.width = (map?.width ?? 0) + 1;
    this.height = height;
    this.channels = newline.byteLength / Float32Array.BYTES_PER_ELEMENT;
    this.#map = map;
    this.#newline = newline;
    this.#rowAddress = memory.place(tokenBytes(this.width, this.channels));
  }

  row(kernel: TokenKernel, y: number): number {
    const mapBytes = tokenBytes(this.width - 1, this.channels);
    const source = this.#map?.row(kernel, y) ?? 0;
    const bytes = new Uint8Array(kernel.memory.buffer);
    bytes.copyWithin(this.#rowAddress, source, source + mapBytes);
    bytes.set(this.#newline, this.#rowAddress + mapBytes);
    return this.#rowAddress;
  }
}
