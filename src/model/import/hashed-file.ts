import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** Appends to a file, and counts and hashes what it appends. The caller closes the file. */
export class HashedFile {
  readonly #file: FileHandle;
  readonly #hash = createHash('sha256');
  sizeBytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength === 0) return;
    this.#hash.update(bytes);
    await this.#file.writeFile(bytes);
    this.sizeBytes += bytes.byteLength;
  }

  sha256(): string {
    return this.#hash.digest('hex');
  }
}
