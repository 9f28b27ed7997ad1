import { crc32 } from 'node:zlib';
import { byteLengthOf } from '../tensor.ts';
import type { TokenFile } from './token-file.ts';

/** A file of an archive: its bytes are `parts`, one after another. */
export interface ArchivedFile {
  readonly name: string;
  readonly parts: readonly Uint8Array[];
}

/** Bytes whose checksum is computed at one time, in well under a millisecond. */
const sliceBytes = 2 ** 20;
const localHeadBytes = 30;
const descriptorBytes = 16;
const directoryHeadBytes = 46;
const endBytes = 22;

/**
 * A ZIP archive of stored files, without compression. Checksums are computed on the way and follow the files' bytes (APPNOTE
 * 4.3.9), so that a large answer need not be read twice.
 */
export function zipFile(contentType: string, files: readonly ArchivedFile[]): TokenFile {
  const perFileBytes = localHeadBytes + descriptorBytes + directoryHeadBytes;
  const contentLength = files.reduce(
    (sum, file) => sum + perFileBytes + 2 * file.name.length + sizeOf(file),
    endBytes,
  );
  return { contentType, contentLength, body: { kind: 'slices', slices: archive(files) } };
}

function* archive(files: readonly ArchivedFile[]): Generator<Uint8Array, void, void> {
  const directory: Buffer[] = [];
  let at = 0;
  for (const file of files) {
    yield localHead(file);
    let checksum = 0;
    for (const part of file.parts) {
      for (let from = 0; from < part.byteLength; from += sliceBytes) {
        const slice = part.subarray(from, from + sliceBytes);
        checksum = crc32(slice, checksum);
        yield slice;
      }
    }
    yield record(0x08074b50, u32(checksum), u32(sizeOf(file)), u32(sizeOf(file)));
    directory.push(directoryEntry(file, checksum, at));
    at += localHeadBytes + file.name.length + sizeOf(file) + descriptorBytes;
  }
  const entries = Buffer.concat(directory);
  yield entries;
  const count = u16(files.length);
  yield record(0x06054b50, u16(0), u16(0), count, count, u32(entries.byteLength), u32(at), u16(0));
}

/** Sizes and checksum are left to the descriptor behind the file. */
function localHead({ name }: ArchivedFile): Buffer {
  const zeros = [u32(0), u32(0), u32(0)];
  return record(0x04034b50, ...common, ...zeros, u16(name.length), u16(0), Buffer.from(name, 'latin1'));
}

function directoryEntry(file: ArchivedFile, checksum: number, at: number): Buffer {
  const sizes = [u32(checksum), u32(sizeOf(file)), u32(sizeOf(file))];
  const rest = [u16(0), u16(0), u16(0), u16(0), u32(0), u32(at)];
  const name = Buffer.from(file.name, 'latin1');
  return record(0x02014b50, u16(20), ...common, ...sizes, u16(name.length), ...rest, name);
}

const descriptorFollows = 1 << 3;
/** 1 January 1980, the earliest that ZIP knows: equal tokens are equal files. */
const earliestDate = 0x21;
/** Version 2.0, flags, no compression, time and date. */
const common = [u16(20), u16(descriptorFollows), u16(0), u16(0), u16(earliestDate)];

function record(signature: number, ...fields: readonly Uint8Array[]): Buffer {
  return Buffer.concat([u32(signature), ...fields]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function sizeOf({ parts }: ArchivedFile): number {
  return byteLengthOf(parts);
}
