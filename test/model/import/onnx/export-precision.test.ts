import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportPrecision } from '../../../../src/model/import/onnx/export-precision.ts';

const [float32, uint8, int64, float16, bfloat16] = [1, 2, 7, 10, 16];

function precisionOf(
  initialisers: readonly (readonly [number, number])[],
  operators: readonly string[] = [],
) {
  const { precision, storedDtype } = exportPrecision({
    nodes: operators.map((operator) => ({ operator })),
    initialisers: initialisers.map(([type, sizeBytes]) => ({ type, sizeBytes })),
  });
  return [precision, storedDtype];
}

test('an export has the precision of nine tenths of its weights, and else its own', () => {
  assert.deepEqual(
    precisionOf([
      [float32, 95],
      [int64, 5],
    ]),
    ['fp32', 'F32'],
  );
  assert.deepEqual(
    precisionOf([
      [float16, 95],
      [float32, 5],
    ]),
    ['fp16', 'F16'],
  );
  assert.deepEqual(
    precisionOf([
      [float16, 60],
      [float32, 40],
    ]),
    ['exported', 'F16'],
  );
  assert.deepEqual(
    precisionOf([
      [uint8, 95],
      [float32, 5],
    ]),
    ['exported', 'U8'],
  );
  assert.deepEqual(precisionOf([[bfloat16, 1]]), ['exported', 'BF16']);
  assert.deepEqual(precisionOf([]), ['fp32', 'F32']);
});

test('an export that quantises while it runs has its own precision, whatever its weights are', () => {
  assert.deepEqual(precisionOf([[float32, 1]], ['MatMul', 'DynamicQuantizeLinear']), ['exported', 'F32']);
  assert.deepEqual(precisionOf([[float32, 1]], ['DynamicQuantizeMatMul']), ['exported', 'F32']);
});

test('takes an export with functions of its own for one that may quantise while it runs', () => {
  const initialisers = [{ type: 1, sizeBytes: 100 }];
  const functions = [{ start: 0, end: 9 }];
  assert.equal(exportPrecision({ nodes: [], functions, initialisers }).precision, 'exported');
});
