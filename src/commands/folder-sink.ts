import { open, rename, rm } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { ServiceError } from '../errors.ts';
import { makeFolder } from '../model/make-folder.ts';
import type { EncodeAnswer } from '../request.ts';
import type { TokenSink } from './token-sink.ts';

/** The buffers of a file of tokens, in order. */
export type WriteTokens = (answer: EncodeAnswer) => Iterable<Uint8Array>;

/**
 * A file of tokens for each file, in `folder`, which is made, parents too: photo.jpg becomes photo.npy. Each is whole from the
 * moment it is there. Throws `invalid_argument` when two files would become one.
 */
export async function openFolderSink(
  folder: string,
  extension: string,
  files: readonly string[],
  writeTokens: WriteTokens,
): Promise<TokenSink> {
  const targets = nameTargets(files, extension);
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

function nameTargets(files: readonly string[], extension: string): Map<string, string> {
  const targets = new Map<string, string>();
  const sources = new Map<string, string>();
  for (const file of files) {
    const target = basename(file, extname(file)) + extension;
    const other = sources.get(target);
    if (other !== undefined) {
      throw new ServiceError(
        'invalid_argument',
        `${other} and ${file} would both become ${target}; encode them into different folders or an archive.`,
      );
    }
    sources.set(target, file);
    targets.set(file, target);
  }
  return targets;
}
