import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';

interface TorchTensor {
  readonly storage: string;
  readonly shape: number[];
  readonly data: Buffer;
}

/** A reader of a torch.save file of one tensor that shares nothing with the writer. It allows no other opcodes. */
export function readTorch(bytes: Buffer): TorchTensor {
  const files = readZip(bytes);
  assert.deepEqual(
    [...files.keys()],
    ['archive/data.pkl', 'archive/byteorder', 'archive/data/0', 'archive/version'],
  );
  assert.equal(files.get('archive/byteorder')!.toString(), 'little');
  assert.equal(files.get('archive/version')!.toString(), '3\n');
  const integer = String.raw`(?:K[^]|M[^]{2}|J[^]{4})`;
  const frame = new RegExp(
    String.raw`^\x80\x02ctorch\._utils\n_rebuild_tensor_v2\n\(\(X\x07\0\0\0storagectorch\n(\w+)\nX\x01\0\0\x000` +
      String.raw`X\x03\0\0\0cpu(${integer})tQK\0\(((?:${integer})+)t\(((?:${integer})+)t\x89` +
      String.raw`ccollections\nOrderedDict\n\)RtR\.$`,
  );
  const match = frame.exec(files.get('archive/data.pkl')!.toString('latin1'));
  assert.ok(match, 'the pickle is not the frame of one tensor');
  const [, storage = '', count = '', dimensions = '', strides = ''] = match;
  const shape = integers(dimensions);
  assert.deepEqual(integers(count), [shape.reduce((product, side) => product * side, 1)]);
  assert.deepEqual(
    integers(strides),
    shape.map((_, axis) => shape.slice(axis + 1).reduce((product, side) => product * side, 1)),
  );
  return { storage, shape, data: files.get('archive/data/0')! };
}

function integers(text: string): number[] {
  const bytes = Buffer.from(text, 'latin1');
  const found: number[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const width = { K: 1, M: 2, J: 4 }[String.fromCharCode(bytes[at]!)]!;
    found.push(bytes.readUIntLE(at + 1, width));
    at += 1 + width;
  }
  return found;
}

/** The stored files of an archive, by its directory, with their checksums checked. */
function readZip(bytes: Buffer): Map<string, Buffer> {
  const end = bytes.byteLength - 22;
  assert.equal(bytes.readUInt32LE(end), 0x06054b50);
  const files = new Map<string, Buffer>();
  let at = bytes.readUInt32LE(end + 16);
  for (let index = 0; index < bytes.readUInt16LE(end + 10); index++) {
    assert.equal(bytes.readUInt32LE(at), 0x02014b50);
    assert.equal(bytes.readUInt16LE(at + 10), 0, 'compressed');
    const [checksum, sizeBytes] = [bytes.readUInt32LE(at + 16), bytes.readUInt32LE(at + 20)];
    const nameBytes = bytes.readUInt16LE(at + 28);
    const head = bytes.readUInt32LE(at + 42);
    const start = head + 30 + bytes.readUInt16LE(head + 26) + bytes.readUInt16LE(head + 28);
    const data = bytes.subarray(start, start + sizeBytes);
    assert.equal(crc32(data), checksum);
    files.set(bytes.toString('latin1', at + 46, at + 46 + nameBytes), data);
    at += 46 + nameBytes + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  assert.equal(at, end);
  return files;
}
