import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportPrecision } from '../../../src/model/onnx/export-precision.ts';

const tensor = (type: number, sizeBytes: number) => ({
  name: '',
  type,
  dims: [],
  sizeBytes,
  data: { kind: 'fields' } as const,
  range: { start: 0, end: 0 },
});

test('an export has the precision that nine tenths of its weights have, and else its own', () => {
  const precisionOf = (...tensors: ReturnType<typeof tensor>[]) => {
    const { precision, storedDtype } = exportPrecision(tensors);
    return [precision, storedDtype];
  };
  assert.deepEqual(precisionOf(tensor(1, 95), tensor(7, 5)), ['fp32', 'F32']);
  assert.deepEqual(precisionOf(tensor(10, 95), tensor(1, 5)), ['fp16', 'F16']);
  assert.deepEqual(precisionOf(tensor(10, 60), tensor(1, 40)), ['exported', 'F16']);
  assert.deepEqual(precisionOf(tensor(2, 95), tensor(1, 5)), ['exported', 'U8']);
  assert.deepEqual(precisionOf(tensor(16, 1)), ['exported', 'BF16']);
  assert.deepEqual(precisionOf(), ['fp32', 'F32']);
});
