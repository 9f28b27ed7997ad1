import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TokenSink, WrittenTokens } from './token-sink.ts';

/** Writes a token file for each image into `folder`: photo.jpg becomes photo.npy. Each appears complete. */
export function folderSink(folder: string, extension: string): TokenSink {
  return {
    async put({ name }, { buffers }, record) {
      const output = name + extension;
      const target = join(folder, output);
      await mkdir(dirname(target), { recursive: true });
      await record({ output, output_bytes: await writeWhole(target, buffers) });
    },
    async finish() {},
    async abandon() {},
  };
}

/** Writes a file beside its place and moves it there. Resolves with its size in bytes. */
async function writeWhole(target: string, buffers: Iterable<Uint8Array>): Promise<number> {
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

/** Whether a token file of an earlier run is there, as long as it was written. */
export async function isWhole(folder: string, written: WrittenTokens): Promise<boolean> {
  return stat(join(folder, written.output)).then(
    (found) => found.isFile() && found.size === written.output_bytes,
    () => false,
  );
}
