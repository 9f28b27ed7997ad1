import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pixelPort, type Port, tokenPort } from '../../../../src/model/import/onnx/export-ports.ts';
import type { TowerGeometry } from '../../../../src/model/tower-geometry.ts';

const geometry: TowerGeometry = {
  architecture: 'siglip',
  imageSize: 512,
  patchSize: 16,
  channels: 32,
  heads: 2,
  layers: 3,
  mlpChannels: 80,
  epsilon: 1e-6,
  activation: 'gelu_tanh',
};
const port = (name: string, type: string | undefined, ...shape: (number | string)[]): Port => ({
  name,
  type,
  shape,
});
const image = port('pixel_values', 'float32', 'batch', 3, 512, 512);

test('takes an input for pixels with sizes that are fixed, named, or not told', () => {
  for (const shape of [['batch', 3, 512, 512], ['b', 'c', 'h', 'w'], ['', '', '', ''], []]) {
    assert.deepEqual(pixelPort([port('x', 'float16', ...shape)], geometry), {
      name: 'x',
      type: 'float16',
      channelsLast: false,
    });
  }
  assert.equal(pixelPort([port('x', 'float32', 'batch', 512, 512, 3)], geometry).channelsLast, true);
});

const refusedInputs: readonly [string, readonly Port[], RegExp][] = [
  [
    'an input of another rank',
    [port('pixel_values', 'float32', 'batch', 1024, 768)],
    /^has no input for pixels.* \[batch, 1024, 768\]$/,
  ],
  [
    'an input of another type',
    [port('pixels', 'uint8', 'n', 512, 512, 3)],
    /its inputs are: pixels uint8 \[n, 512, 512, 3\]$/,
  ],
  ['no inputs', [], /its inputs are: none$/],
  ['a sequence', [port('x', undefined)], /its inputs are: x no tensor \[\]$/],
  [
    'several inputs for pixels',
    [image, { ...image, name: 'mask' }],
    /^has several inputs for pixels: pixel_values .*, mask float32/,
  ],
  [
    'other inputs',
    [image, port('input_ids', 'int64', 'batch', 64)],
    /^also needs the inputs input_ids int64 \[batch, 64\]; import the vision model alone$/,
  ],
  [
    'a fixed batch',
    [port('x', 'float32', 1, 3, 512, 512)],
    /^takes a fixed batch of 1; export it with a dynamic batch size$/,
  ],
  [
    'another image size',
    [port('x', 'float32', 'batch', 3, 384, 384)],
    /^takes x float32 \[batch, 3, 384, 384\]; config\.json makes it \[batch, 3, 512, 512\]$/,
  ],
  [
    'another image size, channels last',
    [port('x', 'float32', '', 384, 384, 3)],
    /^takes x float32 \[\?, 384, 384, 3\]; config\.json makes it \[batch, 512, 512, 3\]$/,
  ],
  [
    'many inputs',
    Array.from({ length: 12 }, (_, i) => port(`i${i}`, 'int64', 'n')),
    /i7 int64 \[n\] and 4 more$/,
  ],
  [
    'names that are long or no text',
    [port(`a\n${'b'.repeat(99)}`, 'int64', 'n')],
    /inputs are: a\\nb{10,60}\.\.\. int64 \[n\]$/,
  ],
];
for (const [what, inputs, message] of refusedInputs) {
  test(`refuses ${what}`, () => assert.throws(() => pixelPort(inputs, geometry), { message }));
}

test('takes last_hidden_state, or else the only output of its rank, with a class token or without', () => {
  const pooled = port('pooler_output', 'float32', 2, 32);
  const tokens = port('last_hidden_state', 'float32', 2, 1024, 32);
  const other = port('hidden_states.0', 'float32', 2, 1024, 32);
  assert.equal(tokenPort([other, pooled, tokens], 2, geometry).name, 'last_hidden_state');
  assert.deepEqual(tokenPort([pooled, port('x', 'float16', 2, 1025, 32)], 2, geometry), {
    name: 'x',
    type: 'float16',
    hasClassToken: true,
  });
});
