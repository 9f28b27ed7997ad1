import { open, rename, rm } from 'node:fs/promises';

/** Writes a file beside its place and moves it there, so that it appears complete. Resolves with its size in bytes. */
export async function writeWhole(target: string, buffers: Iterable<Uint8Array>): Promise<number> {
  const temporary = `${target}.part`;
  let sizeBytes = 0;
  try {
    const handle = await open(temporary, 'w');
    try {
      for (const buffer of buffers) {
        await handle.writeFile(buffer);
        sizeBytes += buffer.byteLength;
      }
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return sizeBytes;
}
