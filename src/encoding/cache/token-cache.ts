import { LRUCache } from 'lru-cache';
import { byteLengthOf } from '../../tokens/tensor.ts';
import type { ImageTokens } from '../encoded-image.ts';

/** The size of an entry besides its tokens: its key and the cache's bookkeeping. */
const entryBytes = 1024;

/** Tokens of encoded images. Drops the least recently used ones beyond `maxBytes`. */
export class TokenCache {
  readonly #entries: LRUCache<string, ImageTokens> | undefined;

  /** With 0 bytes, caches nothing. */
  constructor(maxBytes: number) {
    if (maxBytes === 0) return;
    this.#entries = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ parts }) => entryBytes + byteLengthOf(parts),
    });
  }

  get sizeBytes(): number {
    return this.#entries?.calculatedSize ?? 0;
  }

  get(key: string): ImageTokens | undefined {
    return this.#entries?.get(key);
  }

  /** Caches the tokens. Answers share their buffers, so nobody may write to them. */
  set(key: string, image: ImageTokens): void {
    this.#entries?.set(key, image);
  }
}
