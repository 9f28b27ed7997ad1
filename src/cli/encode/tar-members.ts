import { createReadStream } from 'node:fs';
import { extract, type Entry } from 'tar-stream';

/** A file in a tar. */
export interface TarMember {
  readonly name: string;
  readonly sizeBytes: number;
  /** Bytes of the tar that have been read so far. */
  readonly passedBytes: number;
  /** Reads it. Call it before the next member is asked for, or not at all. */
  read(): Promise<Uint8Array>;
}

const chunkBytes = 2 ** 20;

/**
 * The files of a tar, in order, in constant memory. Rejects after the last whole member if the tar is damaged or ends too
 * early.
 */
export async function* tarMembers(path: string): AsyncGenerator<TarMember, void, void> {
  const source = createReadStream(path, { highWaterMark: chunkBytes });
  const entries = extract();
  let failure: Error | undefined;
  // A member that is read after the tar's end was found missing says only that it was destroyed.
  entries.on('error', (error) => (failure ??= error));
  source.on('error', (error) => entries.destroy(error));
  source.pipe(entries);
  try {
    for await (const entry of entries) {
      const { name, type, size: sizeBytes = 0 } = entry.header;
      if (type === 'file' || type === 'contiguous-file') {
        yield {
          name,
          sizeBytes,
          passedBytes: source.bytesRead,
          read: async () =>
            readEntry(entry, sizeBytes).catch((error: unknown) => {
              throw failure ?? error;
            }),
        };
      }
      entry.resume();
    }
  } finally {
    source.destroy();
  }
}

async function readEntry(entry: Entry, sizeBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for await (const chunk of entry) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
