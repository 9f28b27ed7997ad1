import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';
import { JsonObject, shortJson } from '../json-object.ts';

/** A tensor of a safetensors file, its header checked. */
export interface StoredTensor {
  /** As the file has it: F32, BF16, I64 and others. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** A checkpoint of 27 layers has a header of 0.1 MB. */
const maxHeaderBytes = 16 * 1024 * 1024;
const maxRank = 16;

/** Bytes of an element; a dtype that is not here is left unchecked, and is none that weights are read from. */
const dtypeBytes: ReadonlyMap<unknown, number> = new Map([
  ['BOOL', 1],
  ['U8', 1],
  ['I8', 1],
  ['F8_E4M3', 1],
  ['F8_E5M2', 1],
  ['U16', 2],
  ['I16', 2],
  ['F16', 2],
  ['BF16', 2],
  ['U32', 4],
  ['I32', 4],
  ['F32', 4],
  ['U64', 8],
  ['I64', 8],
  ['F64', 8],
]);

/** The tensors of a safetensors file by name. Reads the header alone. */
export async function readSafetensorsHeader(path: string): Promise<ReadonlyMap<string, StoredTensor>> {
  const label = basename(path);
  const file = await openStored(path);
  try {
    const { size } = await file.stat();
    const length = Buffer.alloc(8);
    await file.read(length, 0, 8, 0);
    const headerBytes = Number(length.readBigUInt64LE());
    if (size < 8 || headerBytes > size - 8) {
      throw fault(label, `is truncated or no safetensors file: it has ${size} bytes, its header needs more`);
    }
    if (headerBytes > maxHeaderBytes) {
      throw fault(label, `has a header of ${headerBytes} bytes; at most ${maxHeaderBytes} are read`);
    }
    const header = Buffer.alloc(headerBytes);
    await file.read(header, 0, headerBytes, 8);
    return parseSafetensorsHeader(header, size, label);
  } finally {
    await file.close();
  }
}

/**
 * Checks a header against the format: the tensors fill the file without gap or overlap, and each one's dtype, shape
 * and length agree. `label` is the file's name in messages.
 */
export function parseSafetensorsHeader(
  header: Uint8Array,
  fileBytes: number,
  label: string,
): ReadonlyMap<string, StoredTensor> {
  const dataOffset = 8 + header.byteLength;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(parseObject(header, label))) {
    if (name === '__metadata__') continue;
    tensors.set(name, parseTensor(JsonObject.from(entry, `${label}: tensor ${name}`), dataOffset));
  }
  let end = dataOffset;
  for (const [name, tensor] of [...tensors].sort(byPlace)) {
    if (tensor.offsetBytes !== end) {
      throw fault(
        label,
        `is damaged: tensor ${name} ${tensor.offsetBytes < end ? 'overlaps' : 'leaves a gap after'} the one before it`,
      );
    }
    end += tensor.sizeBytes;
    if (end > fileBytes) {
      throw fault(label, `is truncated: tensor ${name} ends at byte ${end}, the file at ${fileBytes}`);
    }
  }
  if (end !== fileBytes) {
    throw fault(label, `is damaged: its tensors end at byte ${end}, the file at ${fileBytes}`);
  }
  return tensors;
}

/** Opens a file of a checkpoint for reading; `invalid_argument` when that fails. */
export async function openStored(path: string): ReturnType<typeof open> {
  try {
    return await open(path);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw fault(
      basename(path),
      missing ? 'is missing' : `cannot be read: ${(error as Error).message}`,
      error,
    );
  }
}

function parseObject(header: Uint8Array, label: string): object {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch (error) {
    throw fault(label, 'is no safetensors file: its header is not JSON', error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw fault(label, 'is no safetensors file: its header is not an object');
  }
  return value;
}

function parseTensor(entry: JsonObject, dataOffset: number): StoredTensor {
  const dtype = entry.string('dtype');
  const shape = entry.get('shape');
  const offsets = entry.get('data_offsets');
  if (!isSizes(shape) || shape.length > maxRank) throw entry.fault('shape', 'a list of sizes');
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw entry.fault('data_offsets', 'a start and an end');
  }
  const sizeBytes = offsets[1]! - offsets[0]!;
  const elementBytes = dtypeBytes.get(dtype);
  const expected = shape.reduce((product, size) => product * size, elementBytes ?? 1);
  if (elementBytes !== undefined && expected !== sizeBytes) {
    throw entry.fault('data_offsets', `${expected} bytes apart, as ${dtype} ${shortJson(shape)} needs`);
  }
  return { dtype, shape, offsetBytes: dataOffset + offsets[0]!, sizeBytes };
}

/** File order; of tensors at one offset all but the last are empty. */
function byPlace([, a]: [string, StoredTensor], [, b]: [string, StoredTensor]): number {
  return a.offsetBytes - b.offsetBytes || a.sizeBytes - b.sizeBytes;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function fault(label: string, sentence: string, cause?: unknown): ServiceError {
  return new ServiceError('invalid_argument', `${label} ${sentence}.`, { cause });
}
