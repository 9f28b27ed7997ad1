import { basename } from 'node:path';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import type { ServiceError } from '../../errors/service-error.ts';
import { JsonObject, shortJson, shortName } from '../json-object.ts';
import { openStored, readAt } from './open-stored.ts';
import type { StoredTensor, StoredTensors } from './stored-tensor.ts';

/** A checkpoint of 27 layers has a header of 0.1 MB. */
const maxHeaderBytes = 16 * 1024 * 1024;
const maxRank = 16;

/** Bytes of an element. Sizes of other dtypes are not checked: no weights are read from them. */
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

/** The tensors of a safetensors file, by name. Reads the header alone. */
export async function readSafetensorsHeader(path: string): Promise<StoredTensors> {
  const label = basename(path);
  const file = await openStored(path);
  try {
    const { size } = await file.stat();
    const length = Buffer.alloc(8);
    const hasLength = await readAt(file, length, 0);
    const header = Buffer.alloc(headerLength(hasLength ? length : Buffer.alloc(0), size, label));
    if (!(await readAt(file, header, 8))) throw fault(label, 'is truncated');
    return parseSafetensorsHeader(header, size, label);
  } finally {
    await file.close();
  }
}

/** Bytes of a file's header, which `start`, the first bytes of the file, says. Throws `invalid_argument` unless it can be read. */
export function headerLength(start: Buffer, fileBytes: number, label: string): number {
  const headerBytes = start.byteLength < 8 ? Infinity : Number(start.readBigUInt64LE());
  if (headerBytes > fileBytes - 8) {
    throw fault(
      label,
      `is truncated, or not a safetensors file: it has ${fileBytes} bytes and its header needs more`,
    );
  }
  if (headerBytes > maxHeaderBytes) {
    throw fault(label, `has a header of ${headerBytes} bytes; at most ${maxHeaderBytes} are read`);
  }
  return headerBytes;
}

/**
 * Parses a header and checks it: the tensors must fill the file without a gap or an overlap, and each one's dtype, shape
 * and length must agree. `label` is the file's name in messages.
 */
export function parseSafetensorsHeader(header: Uint8Array, fileBytes: number, label: string): StoredTensors {
  const dataOffset = 8 + header.byteLength;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(parseObject(header, label))) {
    if (name === '__metadata__') continue;
    tensors.set(name, parseTensor(JsonObject.from(entry, `${label}: tensor ${shortName(name)}`), dataOffset));
  }
  let end = dataOffset;
  for (const [name, tensor] of [...tensors].sort(byPlace)) {
    if (tensor.offsetBytes !== end) {
      throw fault(
        label,
        `is damaged: tensor ${shortName(name)} ${tensor.offsetBytes < end ? 'overlaps' : 'leaves a gap after'} the one before it`,
      );
    }
    end += tensor.sizeBytes;
    if (end > fileBytes) {
      throw fault(
        label,
        `is truncated: tensor ${shortName(name)} ends at byte ${end}, the file at ${fileBytes}`,
      );
    }
  }
  if (end !== fileBytes) {
    throw fault(label, `is damaged: its tensors end at byte ${end}, the file at ${fileBytes}`);
  }
  return tensors;
}

function parseObject(header: Uint8Array, label: string): object {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch (error) {
    throw fault(label, 'is not a safetensors file: its header is not JSON', error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw fault(label, 'is not a safetensors file: its header is not an object');
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

/** The order in the file. Of tensors at the same offset, all but the last are empty. */
function byPlace([, a]: [string, StoredTensor], [, b]: [string, StoredTensor]): number {
  return a.offsetBytes - b.offsetBytes || a.sizeBytes - b.sizeBytes;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function fault(label: string, sentence: string, cause?: unknown): ServiceError {
  return invalidArgument(`${label} ${sentence}.`, cause);
}
