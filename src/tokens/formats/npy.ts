import { byteLengthOf, type TokenDtype, type TokenTensor } from '../tensor.ts';
import type { TokenFile } from './token-file.ts';

const descriptors: Partial<Record<TokenDtype, string>> = { float16: '<f2', float32: '<f4' };

/** Whether NumPy's format can hold this dtype. */
export function npyCanHold(dtype: TokenDtype): boolean {
  return descriptors[dtype] !== undefined;
}

/** A .npy file, format version 1.0 (numpy/lib/format.py): C order, data at a multiple of 64 bytes. */
export function npyFile(tensor: TokenTensor): TokenFile {
  const header = npyHeader(tensor);
  const buffers = [header, ...tensor.parts];
  return {
    contentType: 'application/x-npy',
    contentLength: byteLengthOf(buffers),
    body: { kind: 'buffers', buffers },
  };
}

function npyHeader({ shape, dtype }: TokenTensor): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dictionary = `{'descr': '${descriptors[dtype]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const prefixBytes = 10;
  const restBytes = Math.ceil((prefixBytes + dictionary.length + 1) / 64) * 64 - prefixBytes;
  const length = String.fromCharCode(restBytes & 0xff, restBytes >> 8);
  return Buffer.from(`\x93NUMPY\x01\x00${length}${dictionary.padEnd(restBytes - 1)}\n`, 'latin1');
}
