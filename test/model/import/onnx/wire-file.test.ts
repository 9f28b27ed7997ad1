import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { WireFile, type Field } from '../../../../src/model/import/onnx/wire-file.ts';
import { ProtoMessage } from '../../../../src/model/import/protobuf.ts';
import { temporaryFolder } from '../fixtures.ts';

async function fieldsOf(file: WireFile): Promise<Field[]> {
  const fields: Field[] = [];
  for await (const field of file.fields()) fields.push(field);
  return fields;
}

test('reads the integers that ProtoMessage writes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 2 ** 28 }), fc.maxSafeInteger())),
      async (pairs) => {
        const message = new ProtoMessage();
        for (const [number, value] of pairs) message.int(number, value);
        const fields = await fieldsOf(WireFile.of(message.encode(), 'x'));
        assert.deepEqual(
          fields.map(({ number, value }) => [number, value]),
          pairs,
        );
      },
    ),
    { numRuns: 100 },
  );
});

test('reads what lies before, across and after its window, and skips what is large', async (t) => {
  const path = join(await temporaryFolder(t), 'file');
  const names = ['a', 'b'.repeat(4000), 'c', 'd'.repeat(4096), 'e'];
  const message = new ProtoMessage();
  for (const name of names) {
    for (let i = 0; i < 20; i += 1) message.string(1, name);
    message.bytes(2, new Uint8Array(200_000));
  }
  await writeFile(path, message.encode());
  const file = await WireFile.open(path);
  try {
    const read: string[] = [];
    for await (const field of file.fields()) if (field.number === 1) read.push(await file.text(field));
    assert.deepEqual(
      read,
      names.flatMap((name) => Array.from({ length: 20 }, () => name)),
    );
  } finally {
    await file.close();
  }
});

test('reads packed numbers and single ones', async () => {
  const packed = new ProtoMessage()
    .bytes(1, Uint8Array.of(3, 0x80, 0x01))
    .int(1, -5)
    .encode();
  const file = WireFile.of(packed, 'x');
  const numbers: number[] = [];
  for await (const field of file.fields()) numbers.push(...(await file.integers(field, 8)));
  assert.deepEqual(numbers, [3, 128, -5]);
});

for (const [what, bytes] of [
  ['a length beyond the end', [0x0a, 5, 1]],
  ['a tag without a value', [0x08]],
  ['a varint without an end', [0x08, ...Array.from({ length: 12 }, () => 0xff)]],
  ['a negative length', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
  ['a group', [0x0b, 0x0c]],
  ['field 0', [0x00, 0x00]],
  ['a fixed number cut short', [0x0d, 1, 2]],
] as const) {
  test(`refuses ${what}`, async () => {
    await assert.rejects(fieldsOf(WireFile.of(Uint8Array.from(bytes), 'x.onnx')), {
      code: 'invalid_argument',
      message: 'x.onnx is no ONNX file, or truncated or damaged: the field at byte 0 does not fit.',
    });
  });
}

test('refuses endless fields, long names and too many of them', async () => {
  const many = new Uint8Array(2 * 1_000_001).fill(0).map((_, i) => (i % 2 === 0 ? 0x0a : 0));
  const skim = async () => {
    for await (const field of WireFile.of(many, 'x.onnx').fields()) assert.equal(field.number, 1);
  };
  await assert.rejects(skim(), {
    message: 'x.onnx has more than 1000000 fields.',
  });
  const texts = async (name: string, count: number) => {
    const file = WireFile.of(new ProtoMessage().string(1, name).encode(), 'x.onnx');
    const [field] = await fieldsOf(file);
    for (let i = 0; i < count; i += 1) await file.text(field!);
  };
  await texts('a'.repeat(4096), 1);
  await assert.rejects(texts('a'.repeat(4097), 1), { message: 'x.onnx has a name of 4097 bytes.' });
  await assert.rejects(texts('a'.repeat(4096), 8193), {
    message: 'x.onnx has more than 33554432 bytes of names.',
  });
});
