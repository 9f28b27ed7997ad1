import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { ServiceError } from '../../../errors/service-error.ts';
import { HashedFile } from '../hashed-file.ts';
import type { FileDigest } from '../../manifest.ts';
import { pieceBytes, type Piece } from './compose.ts';

const chunkBytes = 1 << 20;

export interface CopyOptions {
  /** Called with the bytes written so far. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes the file `path` of the pieces, a chunk in memory at a time. Rejects with `cancelled` when the signal fired.
 */
export async function copyPieces(
  path: string,
  pieces: Iterable<Piece>,
  { onProgress, signal }: CopyOptions = {},
): Promise<FileDigest> {
  const buffer = new Uint8Array(chunkBytes);
  const sources = new Sources();
  const file = await open(path, 'wx');
  try {
    const output = new HashedFile(file);
    for (const piece of pieces) {
      if (piece instanceof Uint8Array) {
        await output.append(piece);
        continue;
      }
      const source = await sources.get(piece.path);
      const sizeBytes = pieceBytes(piece);
      for (let done = 0; done < sizeBytes; done += chunkBytes) {
        if (signal?.aborted) throw new ServiceError('cancelled', 'The import was cancelled.');
        const chunk = buffer.subarray(0, Math.min(chunkBytes, sizeBytes - done));
        const { bytesRead } = await source.read(chunk, 0, chunk.byteLength, piece.start + done);
        if (bytesRead !== chunk.byteLength) {
          const message = `${basename(piece.path)} became shorter while it was read.`;
          throw new ServiceError('invalid_argument', message);
        }
        await output.append(chunk);
        onProgress?.(output.sizeBytes);
      }
    }
    await file.sync();
    return { sizeBytes: output.sizeBytes, sha256: output.sha256() };
  } finally {
    await sources.close();
    await file.close();
  }
}

/** The file read last stays open: an export may have a file for each tensor. */
class Sources {
  #path: string | undefined;
  #file: FileHandle | undefined;

  async get(path: string): Promise<FileHandle> {
    if (this.#file !== undefined && this.#path === path) return this.#file;
    await this.close();
    this.#file = await open(path);
    this.#path = path;
    return this.#file;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }
}
