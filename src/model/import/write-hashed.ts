import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { ServiceError } from '../../errors/service-error.ts';
import type { FileDigest } from '../manifest.ts';

/**
 * Writes a new file of `chunks`, and returns once it is on the disk. Calls `onWritten` with its size so far after each. Rejects
 * with `cancelled` when the signal fires.
 */
export async function writeHashed(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  onWritten?: (sizeBytes: number) => void,
  signal?: AbortSignal,
): Promise<FileDigest> {
  const file = await open(path, 'wx');
  try {
    const hash = createHash('sha256');
    let sizeBytes = 0;
    for await (const chunk of chunks) {
      if (signal?.aborted) throw new ServiceError('cancelled', 'The import was cancelled.');
      hash.update(chunk);
      await file.writeFile(chunk);
      sizeBytes += chunk.byteLength;
      onWritten?.(sizeBytes);
    }
    await file.sync();
    return { sizeBytes, sha256: hash.digest('hex') };
  } finally {
    await file.close();
  }
}
