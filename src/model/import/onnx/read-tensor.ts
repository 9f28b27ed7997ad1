import { storedType } from './element-types.ts';
import type { ByteRange, WireFile } from './wire-file.ts';

/** Where an initialiser's values are. */
export type TensorData =
  /** Bytes of the file itself, little-endian and of the size that the shape makes. */
  | { readonly kind: 'raw'; readonly range: ByteRange }
  /** Spread over the tensor's fields; they stay as they are. */
  | { readonly kind: 'fields' }
  | { readonly kind: 'external'; readonly entries: ReadonlyMap<string, string> };

/** An initialiser, its values unread. */
export interface StoredTensor {
  readonly name: string;
  /** onnx.TensorProto.DataType's number. */
  readonly type: number;
  readonly dims: readonly number[];
  /** Bytes of the values; 0 for types without a size. */
  readonly sizeBytes: number;
  readonly data: TensorData;
  /** The whole TensorProto. */
  readonly range: ByteRange;
}

const maxRank = 32;
const float32 = 1;

/** Reads a TensorProto but for its values. Throws `invalid_argument` where type, shape and values disagree. */
export async function readTensor(file: WireFile, range: ByteRange): Promise<StoredTensor> {
  let name = '';
  let type = 0;
  let isExternal = false;
  const dims: number[] = [];
  let raw: ByteRange | undefined;
  let floats: ByteRange | undefined;
  let floatFields = 0;
  const entries = new Map<string, string>();
  for await (const field of file.fields(range)) {
    switch (field.number) {
      case 1:
        dims.push(...(await file.integers(field, maxRank)));
        if (dims.length > maxRank) throw file.fault(`has a tensor of more than ${maxRank} dimensions`);
        break;
      case 2:
        type = field.value;
        break;
      case 4:
        floats = field.content;
        floatFields += 1;
        break;
      case 8:
        name = await file.text(field);
        break;
      case 9:
        raw = field.content;
        break;
      case 13: {
        const [key, value] = await readEntry(file, field.content);
        entries.set(key, value);
        break;
      }
      case 14:
        isExternal = field.value === 1;
        break;
      default:
    }
  }
  const sizeBytes = sizeOf(file, name, type, dims);
  const about = { name, type, dims, sizeBytes, range };
  if (isExternal) return { ...about, data: { kind: 'external', entries } };
  if (raw !== undefined && sizeBytes > 0 && bytesOf(raw) !== sizeBytes) {
    throw file.fault(
      `is damaged: initialiser ${name} has ${bytesOf(raw)} bytes, its shape makes it ${sizeBytes}`,
    );
  }
  // A packed float_data has the very bytes of raw_data.
  const values = raw ?? (type === float32 && floatFields === 1 ? floats : undefined);
  const isRaw = values !== undefined && sizeBytes > 0 && bytesOf(values) === sizeBytes;
  return { ...about, data: isRaw ? { kind: 'raw', range: values } : { kind: 'fields' } };
}

function bytesOf({ start, end }: ByteRange): number {
  return end - start;
}

/** A StringStringEntryProto. */
async function readEntry(file: WireFile, range: ByteRange): Promise<[string, string]> {
  const entry: [string, string] = ['', ''];
  for await (const field of file.fields(range)) {
    if (field.number === 1) entry[0] = await file.text(field);
    if (field.number === 2) entry[1] = await file.text(field);
  }
  return entry;
}

function sizeOf(file: WireFile, name: string, type: number, dims: readonly number[]): number {
  const elements = dims.reduce((product, size) => product * size, 1);
  if (dims.some((size) => !(size >= 0)) || !Number.isSafeInteger(elements * 8)) {
    throw file.fault(`is damaged: initialiser ${name} has the shape [${dims.join(', ')}]`);
  }
  return Math.ceil((elements * (storedType(type)?.bits ?? 0)) / 8);
}
