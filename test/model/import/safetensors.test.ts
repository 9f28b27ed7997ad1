import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { parseSafetensorsHeader, readSafetensorsHeader } from '../../../src/model/import/safetensors.ts';
import { encodeFile } from './checkpoints.ts';
import { fixture, temporaryFolder } from './fixtures.ts';

function parse(header: unknown, dataBytes: number): ReturnType<typeof parseSafetensorsHeader> {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  return parseSafetensorsHeader(text, 8 + text.byteLength + dataBytes, 'model.safetensors');
}

const a = { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] };
const b = { dtype: 'BF16', shape: [4], data_offsets: [24, 32] };

describe('safetensors header', () => {
  it('lists the tensors of a real file, wherever they lie', async () => {
    const tensors = await readSafetensorsHeader(fixture('siglip-tiny/model.safetensors'));
    assert.equal(tensors.get('embeddings.patch_embedding.weight')?.offsetBytes, 8 + 6232 + 128);
    assert.deepEqual(tensors.get('embeddings.patch_embedding.weight')?.shape, [32, 3, 16, 16]);
  });

  it('takes tensors in any order, empty ones and metadata', () => {
    const empty = { dtype: 'F32', shape: [0, 7], data_offsets: [24, 24] };
    const tensors = parse({ __metadata__: { format: 'pt' }, b, empty, a }, 32);
    assert.deepEqual([...tensors.keys()], ['b', 'empty', 'a']);
  });

  const refusals: readonly [string, unknown, number, RegExp][] = [
    ['overlapping tensors', { a, b: { ...b, data_offsets: [20, 28] } }, 32, /tensor b overlaps/],
    ['a gap between tensors', { a, b: { ...b, data_offsets: [28, 36] } }, 36, /tensor b leaves a gap/],
    ['a gap before the first tensor', { b }, 32, /tensor b leaves a gap/],
    ['bytes after the last tensor', { a }, 25, /tensors end at byte/],
    ['a tensor beyond the end', { a, b }, 31, /truncated: tensor b ends/],
    [
      'a length that is not of its shape',
      { a: { ...a, shape: [2, 2] } },
      24,
      /tensor a: data_offsets must be 16 bytes/,
    ],
    [
      'a shape whose product overflows',
      { a: { ...a, shape: [2 ** 52, 2 ** 52] } },
      24,
      /tensor a: data_offsets/,
    ],
    ['a negative size', { a: { ...a, shape: [-2, -3] } }, 24, /tensor a: shape/],
    ['a fractional size', { a: { ...a, shape: [1.5, 4] } }, 24, /tensor a: shape/],
    ['an end before its start', { a: { ...a, data_offsets: [24, 0] } }, 24, /tensor a: data_offsets/],
    ['a start that is not a number', { a: { ...a, data_offsets: ['0', 24] } }, 24, /tensor a: data_offsets/],
    ['a tensor without a dtype', { a: { ...a, dtype: 7 } }, 24, /tensor a: dtype/],
    ['a tensor that is no object', { a: [] }, 0, /tensor a is not a JSON object/],
    ['a list', [], 0, /header is not an object/],
    ['text that is not JSON', '{"a":', 0, /header is not JSON/],
  ];
  for (const [what, header, dataBytes, message] of refusals) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parse(header, dataBytes), { code: 'invalid_argument', message });
    });
  }

  const files: readonly [string, Buffer, RegExp][] = [
    ['an empty file', Buffer.alloc(0), /truncated, or not a safetensors file/],
    ['seven bytes', Buffer.alloc(7), /truncated, or not a safetensors file/],
    [
      'a header longer than the file',
      encodeFile('{}', []).subarray(0, 9),
      /truncated, or not a safetensors file/,
    ],
    ['a header length of 2^64 - 1', Buffer.alloc(64, 0xff), /truncated, or not a safetensors file/],
  ];
  for (const [what, content, message] of files) {
    it(`refuses ${what}`, async (t) => {
      const path = join(await temporaryFolder(t), 'model.safetensors');
      await writeFile(path, content);
      await assert.rejects(readSafetensorsHeader(path), { code: 'invalid_argument', message });
    });
  }

  it('refuses a header of more than 16 MiB', async (t) => {
    const path = join(await temporaryFolder(t), 'model.safetensors');
    await writeFile(path, encodeFile(' '.repeat(16 * 1024 * 1024 + 1), []));
    await assert.rejects(readSafetensorsHeader(path), {
      code: 'invalid_argument',
      message: /header of 16777217/,
    });
  });

  it('gives tensors within the file or a ServiceError, whatever the header', () => {
    const size = fc.oneof(fc.nat(64), fc.integer(), fc.double(), fc.constant(2 ** 53), fc.string());
    const tensor = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom('F32', 'F16', 'BF16', 'I64', 'F4'), fc.string()),
        shape: fc.oneof(fc.array(size, { maxLength: 4 }), fc.jsonValue()),
        data_offsets: fc.oneof(fc.tuple(size, size), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    const header = fc.oneof(
      fc.dictionary(fc.string(), fc.oneof(tensor, fc.jsonValue())).map((value) => JSON.stringify(value)),
      fc.string(),
    );
    fc.assert(
      fc.property(header, fc.nat(256), (text, dataBytes) => {
        const fileBytes = 8 + Buffer.byteLength(text) + dataBytes;
        try {
          for (const { offsetBytes, sizeBytes } of parse(text, dataBytes).values()) {
            assert.ok(offsetBytes >= 8 && sizeBytes >= 0 && offsetBytes + sizeBytes <= fileBytes);
          }
        } catch (error) {
          assert.ok(error instanceof ServiceError, String(error));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('gives back what a valid header says', () => {
    const tensor = fc.record({
      dtype: fc.constantFrom(['F32', 4] as const, ['F16', 2] as const, ['BF16', 2] as const),
      shape: fc.array(fc.nat(5), { maxLength: 4 }),
    });
    const names = fc.string().filter((one) => one !== '__metadata__' && one !== '__proto__');
    fc.assert(
      fc.property(fc.dictionary(names, tensor, { maxKeys: 8 }), (tensors) => {
        let offset = 0;
        const header = new Map<string, unknown>();
        for (const [name, { dtype, shape }] of Object.entries(tensors)) {
          const start = offset;
          offset += shape.reduce((product, size) => product * size, dtype[1]);
          header.set(name, { dtype: dtype[0], shape, data_offsets: [start, offset] });
        }
        const parsed = parse(Object.fromEntries(header), offset);
        assert.equal(parsed.size, header.size);
        for (const [name, { dtype, shape }] of parsed) {
          const { dtype: givenDtype, shape: givenShape } = header.get(name) as {
            dtype: string;
            shape: number[];
          };
          assert.deepEqual([dtype, shape], [givenDtype, givenShape]);
        }
      }),
    );
  });
});
