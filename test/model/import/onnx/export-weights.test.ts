import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import protobuf from 'protobufjs';
import { readExportWeights } from '../../../../src/model/import/onnx/export-weights.ts';
import { temporaryFolder } from '../fixtures.ts';

const onnx = protobuf.parse(`
  syntax = "proto2";
  message Model { optional Graph graph = 7; repeated Function functions = 25; }
  message Graph { repeated Node node = 1; repeated Tensor initializer = 5; }
  message Function { repeated Node node = 7; }
  message Node { optional string op_type = 4; }
  message Tensor { repeated int64 dims = 1; optional int32 data_type = 2; optional bytes raw_data = 9; }`);

const [float32, uint8, int64, float16, bfloat16] = [1, 2, 7, 10, 16];

interface Contents {
  /** ONNX's number of a type and how many elements have it, for each weight. */
  readonly weights: readonly (readonly [number, number])[];
  readonly operator?: string;
  readonly isInFunction?: boolean;
}

async function read(t: TestContext, { weights, operator = 'MatMul', isInFunction = false }: Contents) {
  const node = [{ opType: operator }];
  const initializer = weights.map(([dataType, count]) => ({
    dims: [count],
    dataType,
    rawData: new Uint8Array(8),
  }));
  const model = isInFunction
    ? { graph: { initializer }, functions: [{ node }] }
    : { graph: { node, initializer } };
  const path = join(await temporaryFolder(t), 'x.onnx');
  await writeFile(path, onnx.root.lookupType('Model').encode(model).finish());
  const { precision, storedDtype } = await readExportWeights(path);
  return [precision, storedDtype];
}

test('an export has the precision of nine tenths of its weights, and else its own', async (t) => {
  const cases: readonly (readonly [Contents['weights'], readonly [string, string]])[] = [
    [
      [
        [float32, 95],
        [int64, 2],
      ],
      ['fp32', 'F32'],
    ],
    [
      [
        [float16, 95],
        [float32, 2],
      ],
      ['fp16', 'F16'],
    ],
    [
      [
        [float16, 60],
        [float32, 20],
      ],
      ['exported', 'F16'],
    ],
    [
      [
        [uint8, 95],
        [float32, 2],
      ],
      ['exported', 'U8'],
    ],
    [[[bfloat16, 1]], ['exported', 'BF16']],
    [[], ['fp32', 'F32']],
  ];
  for (const [weights, expected] of cases) assert.deepEqual(await read(t, { weights }), expected);
});

test('an export that quantises while it runs has its own precision, whatever its weights are', async (t) => {
  const weights = [[float32, 1]] as const;
  for (const operator of ['DynamicQuantizeLinear', 'DynamicQuantizeMatMul']) {
    assert.deepEqual(await read(t, { weights, operator }), ['exported', 'F32']);
    assert.deepEqual(await read(t, { weights, operator, isInFunction: true }), ['exported', 'F32']);
  }
});
