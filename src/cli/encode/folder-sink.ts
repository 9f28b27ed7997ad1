import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FolderLock } from './folder-lock.ts';
import type { TokenSink, WrittenTokens } from './token-sink.ts';
import { writeWhole } from '../write-whole.ts';

/** Writes a token file for each image into `folder`: photo.jpg becomes photo.npy. Each appears complete. */
export function folderSink(
  folder: string,
  extension: string,
  requireHeld: FolderLock['requireHeld'],
): TokenSink {
  return {
    async put({ name }, { buffers }, record) {
      const output = name + extension;
      const target = join(folder, output);
      await requireHeld();
      await mkdir(dirname(target), { recursive: true });
      await record({ output, output_bytes: await writeWhole(target, buffers) });
    },
    async finish() {},
    async abandon() {},
  };
}

/** Whether a token file of an earlier run is there, as long as it was written. */
export async function isWhole(folder: string, written: WrittenTokens): Promise<boolean> {
  return stat(join(folder, written.output)).then(
    (found) => found.isFile() && found.size === written.output_bytes,
    () => false,
  );
}
