import { open, rename, rm } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { makeFolder } from '../../model/import/publish-folder.ts';
import type { EncodeAnswer } from '../../encoding/request.ts';
import { outputNames } from '../input-files.ts';
import type { TokenSink } from './token-sink.ts';

/** The buffers of a token file, in order. */
export type WriteTokens = (answer: EncodeAnswer) => Iterable<Uint8Array>;

/**
 * Writes a token file for each file into `folder`, which it makes with its parents: photo.jpg becomes photo.npy. Each
 * appears complete. Throws `invalid_argument` if two files get the same name.
 */
export async function openFolderSink(
  folder: string,
  extension: string,
  files: readonly string[],
  writeTokens: WriteTokens,
): Promise<TokenSink> {
  const targets = outputNames(
    files,
    (file) => basename(file, extname(file)) + extension,
    'encode them into different folders or an archive',
  );
  await makeFolder(folder);
  return {
    async put(file, answer) {
      const target = join(folder, targets.get(file) ?? '');
      const temporary = `${target}.${process.pid}.part`;
      try {
        const handle = await open(temporary, 'w');
        try {
          for (const buffer of writeTokens(answer)) await handle.writeFile(buffer);
        } finally {
          await handle.close();
        }
        await rename(temporary, target);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },
    async finish() {},
    async abandon() {},
  };
}
