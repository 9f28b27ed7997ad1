import { open, rename, rm } from 'node:fs/promises';
import { ServiceError } from '../../errors/service-error.ts';
import { byteLengthOf, safetensorsDtypes, type TokenDtype } from '../../tokens/tensor.ts';
import { brokenOutput } from './broken-output.ts';
import type { TokenSink } from './token-sink.ts';
import { writeParts } from './write-parts.ts';

const lengthBytes = 8;
/** Most header bytes of a tensor, without its name. */
const entryBytes = 256;
/** Most header bytes that all tensors share. */
const sharedBytes = 4096;

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [startBytes: number, endBytes: number];
}

/**
 * Writes one safetensors file with a tensor for each file, named by its path. It takes the tokens as values alone. Tensors
 * are written as they come, so that memory does not grow with them: the header, which precedes them, has space reserved and
 * is written last. `__metadata__.tokens_meta` has the metadata of the first answer, without its images. Throws
 * `invalid_argument` for a file that cannot name a tensor.
 */
export async function openArchiveSink(
  path: string,
  files: readonly string[],
  dtype: TokenDtype,
): Promise<TokenSink> {
  if (files.includes('__metadata__')) {
    throw new ServiceError('invalid_argument', 'An archive cannot have a tensor named __metadata__.');
  }
  const headerBytes = roomForHeader(files);
  const temporary = `${path}.${process.pid}.part`;
  const handle = await open(temporary, 'w');
  const entries = new Map<string, Entry>();
  let tokensMeta = '';
  let dataBytes = 0;
  // The data must have no holes, so one failed write spoils the archive.
  let broken: ServiceError | undefined;
  return {
    async put({ file }, { buffers, shape, metadata }, record) {
      if (broken !== undefined) throw broken;
      const parts = [...buffers];
      // Claims its range before the first await, because calls may overlap.
      const start = dataBytes;
      const end = start + byteLengthOf(parts);
      dataBytes = end;
      if (entries.size === 0) {
        tokensMeta = JSON.stringify({ ...(JSON.parse(metadata) as object), images: [] });
      }
      entries.set(file, { dtype: safetensorsDtypes[dtype], shape, data_offsets: [start, end] });
      try {
        await writeParts(handle, parts, lengthBytes + headerBytes + start);
      } catch (error) {
        broken ??= brokenOutput(path, error);
        throw broken;
      }
      await record({ output: path, output_bytes: end });
    },
    async finish() {
      if (broken !== undefined) throw broken;
      const head = Buffer.alloc(lengthBytes + headerBytes, ' ');
      head.writeBigUInt64LE(BigInt(headerBytes), 0);
      const shared = { __metadata__: { format: 'pt', tokens_meta: tokensMeta } };
      const header = Buffer.from(JSON.stringify({ ...shared, ...Object.fromEntries(entries) }));
      if (header.byteLength > headerBytes) {
        throw new Error(`a header of ${header.byteLength} bytes in room for ${headerBytes}`);
      }
      header.copy(head, lengthBytes);
      await writeParts(handle, [head], 0);
      await handle.close();
      await rename(temporary, path);
    },
    async abandon() {
      await handle.close();
      await rm(temporary, { force: true });
    },
  };
}

/** Bytes to reserve for the header, so that the data starts at a multiple of 64 bytes. */
function roomForHeader(files: readonly string[]): number {
  let bytes = sharedBytes;
  for (const file of files) bytes += Buffer.byteLength(JSON.stringify(file)) + entryBytes;
  return Math.ceil((lengthBytes + bytes) / 64) * 64 - lengthBytes;
}
