import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { invalidArgument } from '../errors/invalid-argument.ts';
import { requireWritable } from '../model/import/publish-folder.ts';

/** Refuses a file that is a folder, or whose folder cannot be made or written to. Makes nothing. */
export async function requireWritableFile(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isDirectory()) throw invalidArgument(`${file} is a folder; name a file.`);
  await requireWritable(dirname(file));
}

/**
 * Writes a file beside its place and moves it there, so that it appears complete. Resolves with its size in bytes. A killed
 * process leaves a .part file, which the next write of the same file replaces.
 */
export async function writeWhole(target: string, parts: Iterable<Uint8Array>): Promise<number> {
  const temporary = `${target}.part`;
  try {
    const handle = await open(temporary, 'w');
    let sizeBytes = 0;
    try {
      for (const part of parts) {
        await handle.writeFile(part);
        sizeBytes += part.byteLength;
      }
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
    return sizeBytes;
  } catch (error) {
    // A folder in the place of the temporary file is not this function's.
    await rm(temporary, { force: true }).catch(() => undefined);
    // A failed write has no path, and the user knows only the target.
    throw Object.assign(error as NodeJS.ErrnoException, { path: target });
  }
}
