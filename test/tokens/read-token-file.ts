import assert from 'node:assert/strict';

/** A reader of .npy 1.0 that shares nothing with the writer. */
export function readNpy(bytes: Buffer): { descr: string; shape: number[]; data: Buffer } {
  assert.equal(bytes.toString('latin1', 0, 8), '\x93NUMPY\x01\x00');
  const dataStart = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, dataStart);
  assert.equal(dataStart % 64, 0);
  assert.ok(header.endsWith('\n'));
  const match = /^\{'descr': '([^']+)', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n$/.exec(header);
  assert.ok(match, header);
  const shape = (match[2] ?? '')
    .split(',')
    .filter((size) => size.trim() !== '')
    .map(Number);
  return { descr: match[1] ?? '', shape, data: bytes.subarray(dataStart) };
}

/** A reader of a .safetensors file with the one tensor `tokens`. */
export function readSafetensors(bytes: Buffer): {
  dtype: string;
  shape: number[];
  metadata: Record<string, string>;
  data: Buffer;
} {
  const dataStart = 8 + Number(bytes.readBigUInt64LE(0));
  assert.equal(dataStart % 8, 0);
  const header = JSON.parse(bytes.toString('utf8', 8, dataStart));
  assert.deepEqual(Object.keys(header), ['__metadata__', 'tokens']);
  const metadata = header['__metadata__'];
  for (const value of Object.values(metadata)) assert.equal(typeof value, 'string');
  const { dtype, shape, data_offsets: offsets } = header.tokens;
  assert.deepEqual(offsets, [0, bytes.byteLength - dataStart]);
  return { dtype, shape, metadata, data: bytes.subarray(dataStart) };
}
