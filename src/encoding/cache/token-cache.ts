import { LRUCache } from 'lru-cache';
import type { EncodedImage } from '../encoded-image.ts';

/** What an entry takes beside its tokens: its key, and the cache's own. */
const entryBytes = 1024;

/**
 * Tokens of images that were encoded, the least recently used of them dropped when they take more than `maxBytes`.
 */
export class ResultCache {
  readonly #entries: LRUCache<string, EncodedImage> | undefined;

  /** With 0 bytes nothing is kept. */
  constructor(maxBytes: number) {
    if (maxBytes === 0) return;
    this.#entries = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ parts }) => parts.reduce((sum, { byteLength }) => sum + byteLength, entryBytes),
    });
  }

  get heldBytes(): number {
    return this.#entries?.calculatedSize ?? 0;
  }

  get entries(): number {
    return this.#entries?.size ?? 0;
  }

  get(key: string): EncodedImage | undefined {
    return this.#entries?.get(key);
  }

  /** Keeps it; the buffers are shared with whoever has them, so nobody writes to them. */
  set(key: string, image: EncodedImage): void {
    this.#entries?.set(key, image);
  }
}
