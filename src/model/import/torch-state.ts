import { invalidArgument } from '../../errors/invalid-argument.ts';
import type { ServiceError } from '../../errors/service-error.ts';
import { shortName } from '../json-object.ts';
import { readPickle, type PickleValue } from './pickle.ts';

/** The bytes behind tensors, in a file of their own inside the archive. */
export class TorchStorage {
  readonly key: string;
  /** As safetensors calls it. */
  readonly dtype: string;
  readonly elementBytes: number;

  constructor(key: string, [dtype, elementBytes]: readonly [string, number]) {
    this.key = key;
    this.dtype = dtype;
    this.elementBytes = elementBytes;
  }
}

/** A tensor as a view of a storage, in elements; nothing has checked yet that the storage holds it. */
export class TorchTensor {
  readonly storage: TorchStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: TorchStorage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** Storages by their classes' names: dtype and bytes of an element. */
const storageTypes: ReadonlyMap<string, readonly [string, number]> = new Map([
  ['torch.DoubleStorage', ['F64', 8]],
  ['torch.FloatStorage', ['F32', 4]],
  ['torch.HalfStorage', ['F16', 2]],
  ['torch.BFloat16Storage', ['BF16', 2]],
  ['torch.LongStorage', ['I64', 8]],
  ['torch.IntStorage', ['I32', 4]],
  ['torch.ShortStorage', ['I16', 2]],
  ['torch.CharStorage', ['I8', 1]],
  ['torch.ByteStorage', ['U8', 1]],
  ['torch.BoolStorage', ['BOOL', 1]],
]);

const maxRank = 16;
/** A name of a real tensor is under 100 characters. */
const maxNameLength = 512;
const maxDepth = 8;
/** Values of nested dictionaries; a dictionary that several hold counts for each of them. */
const maxEntries = 100_000;

/**
 * The tensors of a state_dict, by name; those of a dictionary inside it have its key and a point before theirs.
 * Other values are left out. `label` is the file's name in messages. Throws `invalid_argument` for a pickle of anything
 * but plain values and tensors.
 */
export function readStateDict(
  pickle: Uint8Array<ArrayBuffer>,
  label: string,
): ReadonlyMap<string, TorchTensor> {
  const fault = (sentence: string) => invalidArgument(`${label} ${sentence}.`);
  const root = readPickle(pickle, {
    label,
    globals: allowedGlobals(fault),
    load: (id) => storageOf(id) ?? raise(fault('is damaged: a storage is not valid')),
  });
  const tensors = new Map<string, TorchTensor>();
  let entries = 0;
  const visit = (map: ReadonlyMap<unknown, unknown>, prefix: string, depth: number): void => {
    if (depth > maxDepth) throw fault(`has dictionaries nested more than ${maxDepth} deep`);
    for (const [key, value] of map) {
      entries += 1;
      if (entries > maxEntries) throw fault(`has more than ${maxEntries} values`);
      if (typeof key !== 'string' && typeof key !== 'number') continue;
      const name = `${prefix}${key}`;
      if (name.length > maxNameLength) throw fault(`has a name of more than ${maxNameLength} characters`);
      if (value instanceof Map) visit(value, `${name}.`, depth + 1);
      if (!(value instanceof TorchTensor)) continue;
      if (tensors.has(name)) throw fault(`has two tensors ${shortName(name)}`);
      tensors.set(name, value);
    }
  };
  if (!(root instanceof Map))
    throw fault('does not hold a dictionary of tensors, as torch.save writes for a state_dict');
  visit(root, '', 0);
  return tensors;
}

/** Everything that a pickle of plain tensors refers to. */
function allowedGlobals(fault: (sentence: string) => ServiceError): ReadonlyMap<string, PickleValue> {
  const rebuild = (args: readonly PickleValue[]) =>
    tensorOf(args) ?? raise(fault('is damaged: a tensor is not valid'));
  const first = ([value]: readonly PickleValue[]) =>
    value instanceof TorchTensor ? value : raise(fault('is damaged: a parameter has no tensor'));
  const calls = {
    'collections.OrderedDict': () => new Map(),
    'torch.Size': ([sizes = []]: readonly PickleValue[]) => sizes,
    'torch._utils._rebuild_tensor': rebuild,
    'torch._utils._rebuild_tensor_v2': rebuild,
    'torch._utils._rebuild_parameter': first,
    'torch._utils._rebuild_parameter_with_state': first,
  };
  const dtypes = 'float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool'.split(' ');
  const names = [...storageTypes.keys(), ...dtypes.map((dtype) => `torch.${dtype}`)];
  return new Map<string, PickleValue>([
    ...Object.entries(calls),
    ...names.map((name) => [name, name] as const),
  ]);
}

/** Of a persistent id: ('storage', class, key, device, elements). */
function storageOf(id: PickleValue): TorchStorage | undefined {
  const [kind, type, key]: readonly unknown[] = Array.isArray(id) ? id : [];
  const stored = typeof type === 'string' ? storageTypes.get(type) : undefined;
  if (kind !== 'storage' || stored === undefined || typeof key !== 'string') return undefined;
  return new TorchStorage(key, stored);
}

/** Of the arguments (storage, offset, shape, strides, ...). */
function tensorOf([storage, offset, shape, strides]: readonly PickleValue[]): TorchTensor | undefined {
  const [sizes, steps] = [countsOf(shape), countsOf(strides)];
  if (!(storage instanceof TorchStorage) || !isCount(offset) || sizes === undefined) return undefined;
  if (steps?.length !== sizes.length || sizes.length > maxRank) return undefined;
  return new TorchTensor(storage, offset, sizes, steps);
}

/** A copy, since the pickle may change a list later. */
function countsOf(value: PickleValue | undefined): readonly number[] | undefined {
  return Array.isArray(value) && value.every(isCount) ? [...value] : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function raise(error: Error): never {
  throw error;
}
