import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { readExportWeights } from '../../../../src/model/import/onnx/export-weights.ts';
import { ProtoMessage } from '../../../../src/model/import/protobuf.ts';
import { temporaryFolder } from '../fixtures.ts';

const [float32, uint8, int64, float16, bfloat16] = [1, 2, 7, 10, 16];

interface Contents {
  /** ONNX's number of a type and how many elements have it, for each weight. */
  readonly weights: readonly (readonly [number, number])[];
  readonly operator?: string;
  readonly isInFunction?: boolean;
}

async function read(t: TestContext, { weights, operator = 'MatMul', isInFunction = false }: Contents) {
  const node = new ProtoMessage().string(4, operator);
  const graph = new ProtoMessage();
  for (const [type, count] of weights) {
    graph.message(5, new ProtoMessage().int(1, count).int(2, type).bytes(9, new Uint8Array(8)));
  }
  const model = new ProtoMessage().message(7, isInFunction ? graph : graph.message(1, node));
  if (isInFunction) model.message(25, new ProtoMessage().message(7, node));
  const path = join(await temporaryFolder(t), 'x.onnx');
  await writeFile(path, model.encode());
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
