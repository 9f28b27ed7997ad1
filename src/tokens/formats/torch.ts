import type { TokenDtype, TokenTensor } from '../tensor.ts';
import type { TokenFile } from './token-file.ts';
import { zipFile } from './zip.ts';

const storages = {
  float16: 'HalfStorage',
  float32: 'FloatStorage',
  bfloat16: 'BFloat16Storage',
} as const satisfies Record<TokenDtype, string>;

/**
 * A file as torch.save writes it for one tensor, which `torch.load(weights_only=True)` reads: a ZIP archive of the values
 * and a pickle that rebuilds the tensor from them and holds nothing else.
 */
export function torchFile(tensor: TokenTensor): TokenFile {
  return zipFile('application/x-pytorch', [
    { name: 'archive/data.pkl', parts: [tensorPickle(tensor)] },
    { name: 'archive/byteorder', parts: [Buffer.from('little')] },
    { name: 'archive/data/0', parts: tensor.parts },
    { name: 'archive/version', parts: [Buffer.from('3\n')] },
  ]);
}

/** `torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`, as a pickle of protocol 2. */
function tensorPickle({ shape, dtype }: TokenTensor): Buffer {
  const values = shape.reduce((product, side) => product * side, 1);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, side) => product * side, 1));
  return Buffer.concat([
    Buffer.from('\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((', 'latin1'),
    text('storage'),
    Buffer.from(`ctorch\n${storages[dtype]}\n`),
    text('0'),
    text('cpu'),
    integer(values),
    Buffer.from('tQ'),
    integer(0),
    tuple(shape),
    tuple(strides),
    Buffer.from('\x89ccollections\nOrderedDict\n)RtR.', 'latin1'),
  ]);
}

function text(value: string): Buffer {
  const head = Buffer.from('X\0\0\0\0');
  head.writeUInt32LE(value.length, 1);
  return Buffer.concat([head, Buffer.from(value)]);
}

function tuple(values: readonly number[]): Buffer {
  return Buffer.concat([Buffer.from('('), ...values.map(integer), Buffer.from('t')]);
}

function integer(value: number): Buffer {
  if (value < 2 ** 8) return Buffer.from([0x4b, value]);
  const head = Buffer.from(value < 2 ** 16 ? 'M\0\0' : 'J\0\0\0\0');
  if (value < 2 ** 16) head.writeUInt16LE(value, 1);
  else head.writeInt32LE(value, 1);
  return head;
}
