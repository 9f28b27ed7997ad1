import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ServiceError } from '../../../errors/service-error.ts';
import type { FileDigest } from '../../manifest.ts';
import { HashedFile } from '../hashed-file.ts';

const chunkBytes = 1 << 20;

/** Copies a file to a path where there is none, and makes the folder for it. Rejects with `cancelled` on the signal. */
export async function copyFile(
  from: string,
  to: string,
  onChunk: (sizeBytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<FileDigest> {
  await mkdir(dirname(to), { recursive: true });
  const file = await open(to, 'wx');
  try {
    const output = new HashedFile(file);
    for await (const chunk of createReadStream(from, { highWaterMark: chunkBytes })) {
      if (signal?.aborted) throw new ServiceError('cancelled', 'The import was cancelled.');
      await output.append(chunk as Uint8Array);
      onChunk((chunk as Uint8Array).byteLength);
    }
    await file.sync();
    return { sizeBytes: output.sizeBytes, sha256: output.sha256() };
  } finally {
    await file.close();
  }
}
