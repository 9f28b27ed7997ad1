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

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [start: number, end: number];
}

interface SafetensorsTensor {
  dtype: string;
  shape: number[];
  data: Buffer;
}

/** A reader of a .safetensors file with the one tensor `tokens`. */
export function readSafetensors(bytes: Buffer): SafetensorsTensor & { metadata: Record<string, string> } {
  const { metadata, tensors } = readSafetensorsImages(bytes);
  const { tokens, ...others } = tensors;
  assert.ok(tokens);
  assert.deepEqual(others, {});
  return { ...tokens, metadata };
}

/** A reader of a .safetensors file, which must be ASCII up to its data and have no holes. */
export function readSafetensorsImages(bytes: Buffer): {
  metadata: Record<string, string>;
  tensors: Record<string, SafetensorsTensor>;
} {
  const dataStart = 8 + Number(bytes.readBigUInt64LE(0));
  assert.equal(dataStart % 8, 0);
  const text = bytes.toString('utf8', 8, dataStart);
  assert.match(text, /^[\x20-\x7e]*$/);
  const { __metadata__: metadata, ...entries } = JSON.parse(text);
  for (const value of Object.values(metadata)) assert.equal(typeof value, 'string');
  const tensors: Record<string, SafetensorsTensor> = {};
  let at = 0;
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(
    entries as Record<string, Entry>,
  )) {
    assert.equal(offsets[0], at);
    tensors[name] = { dtype, shape, data: bytes.subarray(dataStart + at, dataStart + offsets[1]) };
    at = offsets[1];
  }
  assert.equal(dataStart + at, bytes.byteLength);
  return { metadata, tensors };
}
