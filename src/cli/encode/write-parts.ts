import type { FileHandle } from 'node:fs/promises';

/** Writes buffers one behind another, from a position in the file on. */
export async function writeParts(
  handle: FileHandle,
  parts: readonly Uint8Array[],
  startBytes: number,
): Promise<void> {
  let position = startBytes;
  for (const part of parts) {
    for (let done = 0; done < part.byteLength; ) {
      const { bytesWritten } = await handle.write(part, done, part.byteLength - done, position + done);
      done += bytesWritten;
    }
    position += part.byteLength;
  }
}
