import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import { systemReason } from '../../errors/system-reason.ts';

/** Opens a file of a checkpoint for reading; `invalid_argument` when that fails. */
export async function openStored(path: string): Promise<FileHandle> {
  try {
    const file = await open(path);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const problem = isMissing ? 'is missing' : `cannot be read: ${systemReason(error)}`;
    throw invalidArgument(`${basename(path)} ${problem}.`, error);
  }
  throw invalidArgument(`${basename(path)} is not a file.`);
}

/** Reads exactly `buffer` from a file, or gives false where the file ends before. */
export async function readAt(file: FileHandle, buffer: Uint8Array, offsetBytes: number): Promise<boolean> {
  let done = 0;
  while (done < buffer.byteLength) {
    const { bytesRead } = await file.read(buffer, done, buffer.byteLength - done, offsetBytes + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}
