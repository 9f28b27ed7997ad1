import { crc32 } from 'node:zlib';

/** A value of a pickle; a global is written as `module name`. */
export type Pickled =
  | null
  | boolean
  | number
  | string
  | readonly Pickled[]
  | ReadonlyMap<string, Pickled>
  | { readonly tuple: readonly Pickled[] }
  | { readonly global: string }
  | { readonly call: Pickled; readonly args: readonly Pickled[] }
  | { readonly persistent: Pickled }
  /** Opcodes as they are. */
  | { readonly raw: Uint8Array };

/** A pickle of protocol 2, of the opcodes that torch.save writes. */
export function pickle(value: Pickled): Buffer {
  return Buffer.concat([Buffer.of(0x80, 2), ...opcodes(value), Buffer.from('.')]);
}

function opcodes(value: Pickled): Buffer[] {
  if (value === null) return [Buffer.from('N')];
  if (typeof value === 'boolean') return [Buffer.of(value ? 0x88 : 0x89)];
  if (typeof value === 'number') return [number(value)];
  if (typeof value === 'string') return [sized('X', Buffer.from(value))];
  if (Array.isArray(value)) return [Buffer.from(']('), ...value.flatMap(opcodes), Buffer.from('e')];
  if (value instanceof Map) {
    const items = [...value].flat() as Pickled[];
    return [Buffer.from('}('), ...items.flatMap(opcodes), Buffer.from('u')];
  }
  if ('tuple' in value) return [Buffer.from('('), ...value.tuple.flatMap(opcodes), Buffer.from('t')];
  if ('global' in value) return [Buffer.from(`c${value.global.replace(' ', '\n')}\n`)];
  if ('call' in value) return [...opcodes(value.call), ...opcodes({ tuple: value.args }), Buffer.from('R')];
  if ('persistent' in value) return [...opcodes(value.persistent), Buffer.from('Q')];
  return [Buffer.from((value as { readonly raw: Uint8Array }).raw)];
}

function number(value: number): Buffer {
  if (Number.isSafeInteger(value) && Math.abs(value) < 2 ** 31) {
    const bytes = Buffer.from('J....');
    bytes.writeInt32LE(value, 1);
    return bytes;
  }
  if (Number.isSafeInteger(value)) {
    const bytes = Buffer.alloc(10, Buffer.of(0x8a, 8));
    bytes.writeBigInt64LE(BigInt(value), 2);
    return bytes;
  }
  const bytes = Buffer.from('G........');
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function sized(opcode: string, bytes: Buffer): Buffer {
  const head = Buffer.from(`${opcode}....`);
  head.writeUInt32LE(bytes.byteLength, 1);
  return Buffer.concat([head, bytes]);
}

/** A tensor as torch.save pickles it: a view of the storage `key`. */
export interface PickledTensor {
  readonly key: string;
  readonly shape: readonly Pickled[];
  readonly strides: readonly Pickled[];
  readonly offset?: number;
  /** Elements of the storage. */
  readonly elements: number;
  readonly storage?: string;
}

export function pickledTensor({
  key,
  shape,
  strides,
  offset = 0,
  elements,
  storage,
}: PickledTensor): Pickled {
  const id = ['storage', { global: storage ?? 'torch FloatStorage' }, key, 'cpu', elements];
  return {
    call: { global: 'torch._utils _rebuild_tensor_v2' },
    args: [
      { persistent: { tuple: id } },
      offset,
      { tuple: shape },
      { tuple: strides },
      false,
      { call: { global: 'collections OrderedDict' }, args: [] },
    ],
  };
}

export interface ZipEntry {
  readonly name: string;
  readonly content: Uint8Array;
  /** 0 when absent: stored. The content is written as it is. */
  readonly method?: number;
}

/** A ZIP archive of stored files. */
export function zip(entries: readonly ZipEntry[]): Buffer {
  const [locals, records]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  for (const { name, content, method = 0 } of entries) {
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(0x800, 2);
    shared.writeUInt16LE(method, 4);
    shared.writeUInt32LE(crc32(content), 10);
    shared.writeUInt32LE(content.byteLength, 14);
    shared.writeUInt32LE(content.byteLength, 18);
    shared.writeUInt16LE(Buffer.byteLength(name), 22);
    const record = Buffer.alloc(14);
    record.writeUInt32LE(offset, 10);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), shared, Buffer.from(name), content]);
    records.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), shared, record, Buffer.from(name)]));
    locals.push(local);
    offset += local.byteLength;
  }
  const directory = Buffer.concat(records);
  const end = Buffer.alloc(22, Buffer.from('PK\x05\x06').toString('binary'), 'binary').fill(0, 4);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.byteLength, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

/** A file as torch.save writes it: a pickle, and the bytes of storages by their keys. */
export function torchFile(
  value: Pickled | Buffer,
  storages: Readonly<Record<string, Uint8Array>> = {},
): Buffer {
  return zip([
    { name: 'archive/data.pkl', content: Buffer.isBuffer(value) ? value : pickle(value) },
    { name: 'archive/byteorder', content: Buffer.from('little') },
    ...Object.entries(storages).map(([key, content]) => ({ name: `archive/data/${key}`, content })),
    { name: 'archive/version', content: Buffer.from('3\n') },
  ]);
}
