import type { FileHandle } from 'node:fs/promises';
import { callbackify } from 'node:util';
import { fromRandomAccessReaderPromise, RandomAccessReader } from 'yauzl';
import { readAt } from './open-stored.ts';

/** The bytes of a file inside an archive. */
export interface ArchivedFile {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

const maxFiles = 50_000;
const maxNameLength = 512;

/**
 * Where the files of a ZIP archive lie in it, by name. Reads its directory alone. Rejects with the reason as a message
 * when it is damaged, or when a file in it is compressed or encrypted.
 */
export async function locateFiles(file: FileHandle): Promise<Map<string, ArchivedFile>> {
  const { size } = await file.stat();
  const archive = await fromRandomAccessReaderPromise(new ArchiveReader(file), size, { autoClose: false });
  const found = new Map<string, ArchivedFile>();
  for await (const entry of archive.eachEntry()) {
    const { fileName, compressedSize } = entry;
    if (found.size === maxFiles) throw new Error(`it has more than ${maxFiles} files`);
    if (fileName.length > maxNameLength) throw new Error(`a name has more than ${maxNameLength} characters`);
    if (found.has(fileName)) throw new Error('two files have the same name');
    if (entry.compressionMethod !== 0 || entry.isEncrypted())
      throw new Error('a file is compressed or encrypted');
    const { fileDataStart } = await archive.readLocalFileHeaderPromise(entry, { minimal: true });
    found.set(fileName, { offsetBytes: fileDataStart, sizeBytes: compressedSize });
  }
  return found;
}

/** Reads for yauzl. Its own reader throws out of a callback where the archive names an offset beyond 2^53. */
class ArchiveReader extends RandomAccessReader {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    super();
    this.#file = file;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    callbackify(() => this.#fill(buffer.subarray(offset, offset + length), position))(callback);
  }

  async #fill(target: Uint8Array, position: number): Promise<void> {
    const isPlausible = Number.isSafeInteger(position) && position >= 0;
    if (!isPlausible || !(await readAt(this.#file, target, position))) throw new Error('it ends early');
  }
}
