import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { LinearBuilder } from '../../../src/model/import/linear-builder.ts';
import type { TensorSource } from '../../../src/model/import/tensor-source.ts';
import { writeWeights } from '../../../src/model/import/weights-file.ts';
import { temporaryFolder } from './fixtures.ts';

/** A source whose tensors have `rows` rows of `rowElements` zeros, whatever their shape is. */
function sourceOfRows(rows: number): TensorSource {
  return {
    check: async () => {},
    async *read(_tensor, dtype, rowElements) {
      const rowBytes = rowElements * (dtype === 'float16' ? 2 : 4);
      for (let row = 0; row < rows; row += 1) yield new Uint8Array(rowBytes);
    },
  };
}

const layouts: Readonly<Record<string, (builder: LinearBuilder) => void>> = {
  'as stored': (builder) => builder.weight('weight', [4, 8]),
  'as stored, in fp16': (builder) => builder.weight('weight', [4, 8], 'float16'),
  patches: (builder) => builder.weight('weight', [4, 3, 2, 2], 'float32', 'patches'),
  positions: (builder) => builder.weight('weight', [4, 8], 'float32', 'positions'),
  int8: (builder) => void builder.linear('value', 'dense', { shape: [4, 8], bias: false }),
};

describe('writeWeights', () => {
  for (const [layout, addTo] of Object.entries(layouts)) {
    it(`writes a tensor of the right length, and refuses a longer or shorter one: ${layout}`, async (t) => {
      const folder = await temporaryFolder(t);
      const builder = new LinearBuilder('int8');
      addTo(builder);
      const write = (rows: number) =>
        writeWeights(join(folder, `${rows}`), builder.weights, sourceOfRows(rows), () => true, {});
      const { place } = builder.weights[0]!;
      assert.equal((await write(4)).file.sizeBytes, place.offsetBytes + place.sizeBytes);
      for (const rows of [3, 5]) await assert.rejects(write(rows), /weight has \d+ bytes.*, not \d+$/);
    });
  }
});
