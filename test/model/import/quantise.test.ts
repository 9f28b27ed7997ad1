import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { quantiseMatrix, quantiseRow, rowScale } from '../../../src/model/import/quantise.ts';

const row = fc.float32Array({ minLength: 1, maxLength: 40, noNaN: true, noDefaultInfinity: true });

function quantised(values: Float32Array): { readonly scale: number; readonly steps: Int8Array } {
  const scale = rowScale(values);
  const steps = new Int8Array(values.length);
  quantiseRow(values, scale, steps);
  return { scale, steps };
}

describe('a quantised row', () => {
  it('is within half a step of its weights', () => {
    fc.assert(
      fc.property(row, (values) => {
        const { scale, steps } = quantised(values);
        for (const [i, value] of values.entries()) {
          assert.ok(
            Math.abs(value - steps[i]! * scale) <= scale * 0.50002,
            `${value}: ${steps[i]} of ${scale}`,
          );
        }
      }),
    );
  });

  it('has its largest weight at 127 or -127, and nothing beyond', () => {
    fc.assert(
      fc.property(row, (values) => {
        const largest = Math.max(...values.map(Math.abs));
        fc.pre(largest > 1e-30);
        const { steps } = quantised(values);
        assert.equal(Math.max(...steps.map(Math.abs)), 127);
        assert.equal(Math.abs(steps[values.findIndex((value) => Math.abs(value) === largest)]!), 127);
        assert.ok(steps.every((step) => step >= -127));
      }),
    );
  });

  it('of zeros, or of weights too small to divide, is zeros with a scale of 1', () => {
    for (const value of [0, -0, 1e-45, 1e-37]) {
      const { scale, steps } = quantised(new Float32Array(3).fill(value));
      assert.deepEqual([scale, [...steps]], [1, [0, 0, 0]]);
    }
  });
});

describe('a quantised matrix', () => {
  it('is transposed, with its scales at the end, however its rows are chunked', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 150 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 150 }),
        fc.integer({ min: 0, max: 9 }),
        async (outputs, inputs, chunkRows, gap) => {
          const values = Float32Array.from({ length: outputs * inputs }, (_, i) => ((i * 7919) % 211) - 105);
          async function* chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
            for (let at = 0; at < values.length; at += chunkRows * inputs) {
              yield await Promise.resolve(new Uint8Array(values.slice(at, at + chunkRows * inputs).buffer));
            }
          }
          const sizeBytes = outputs * inputs + gap + outputs * 4;
          const result = await quantiseMatrix(chunks(), [outputs, inputs], sizeBytes);
          assert.equal(result.byteLength, sizeBytes);
          const steps = new Int8Array(result.buffer, 0, outputs * inputs);
          const scales = new Float32Array(result.slice(sizeBytes - outputs * 4).buffer);
          for (let output = 0; output < outputs; output += 1) {
            const expected = quantised(values.subarray(output * inputs, (output + 1) * inputs));
            assert.equal(scales[output], expected.scale);
            const column = Array.from({ length: inputs }, (_, input) => steps[input * outputs + output]);
            assert.deepEqual(column, [...expected.steps]);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
