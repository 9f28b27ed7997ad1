import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { encodeFiles } from '../../../src/cli/encode/encode.ts';
import { tokenMap } from '../../../src/cli/encode/token-map.ts';
import { abortFailure } from '../../../src/errors/abort.ts';
import { sharp } from '../../../src/image/sharp.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { TokenColours } from '../../../src/tokens/colours/token-colours.ts';
import { fakeTerminal } from '../fake-terminal.ts';
import { encodeWith, firstByte, folderWith, settingsOf, stubParts } from './encode-stub.ts';

/** An answer whose values are 0, 1, 2 and so on. */
function answer(shape: readonly number[], metadata: object) {
  const count = shape.reduce((product, side) => product * side, 1);
  const data = Float32Array.from({ length: count }, (_, index) => index);
  return { buffers: [new Uint8Array(data.buffer)], shape, metadata: JSON.stringify(metadata) };
}

const grid = { width: 3, height: 2 };
const firstValues = (data: Float32Array, channels: number) =>
  [...data].filter((_, index) => index % channels === 0);

test('draws the patches of an answer, and not a class token before them', () => {
  const { tokens } = tokenMap(answer([6, 2], { grid }));
  assert.deepEqual(firstValues(tokens.data, 2), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(firstValues(tokenMap(answer([7, 2], { grid })).tokens.data, 2), [2, 4, 6, 8, 10, 12]);
});

test('draws the map of AnyRes without its newlines, or else the base view', () => {
  const anyres = { base_tokens: 6, spatial: { width: 2, height: 2 }, newlines: 2 };
  const map = tokenMap(answer([12, 1], { grid, anyres }));
  assert.deepEqual([map.grid, [...map.tokens.data]], [anyres.spatial, [6, 7, 9, 10]]);
  const empty = { base_tokens: 6, spatial: { width: 0, height: 2 }, newlines: 2 };
  const base = tokenMap(answer([8, 1], { grid, anyres: empty }));
  assert.deepEqual([base.grid, [...base.tokens.data]], [grid, [0, 1, 2, 3, 4, 5]]);
});

test('refuses an answer that is no map', () => {
  assert.throws(() => tokenMap(answer([2, 6, 1], { grid })), {
    code: 'invalid_argument',
    message: 'An answer of shape 2 x 6 x 1 is no map of tokens, so it cannot be drawn.',
  });
  assert.throws(() => tokenMap(answer([4], { grid })), { code: 'invalid_argument' });
});

test('writes a PNG of one image’s tokens in the colours of compare, and no tokens', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const values = Float32Array.from([1, 2, 3, 5, 8, 4, 0, 1]);
  const stub = stubParts(async (request) => {
    assert.equal(request.options.dtype, 'float32');
    const { metadata, ...rest } = await firstByte(request);
    const shape = [4, 2];
    const size = { width: 2, height: 2 };
    const tensor = { shape, dtype: 'float32', parts: [new Uint8Array(values.buffer.slice(0))] } as const;
    return { ...rest, tensor, metadata: { ...metadata, shape, grid: size } };
  });
  const { exitCode, stdout } = await encodeWith([at('a.jpg')], ['--preview', at('a.png')], stub);
  assert.equal(exitCode, 0);
  assert.match(stdout, /a\.png: 2 x 2 tokens of 2 channels; the colours are 100 % of their variance\n$/);
  assert.deepEqual(await readdir(at('.')), ['a.jpg', 'a.png']);
  const { data, info } = await sharp(await readFile(at('a.png')))
    .raw()
    .toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height, info.channels], [512, 512, 3]);
  const tokens = { data: values, count: 4, channels: 2 };
  const painted = TokenColours.fit([tokens]).paint(tokens);
  for (const [token, [x, y]] of [
    [0, 0],
    [511, 0],
    [0, 511],
    [511, 511],
  ].entries()) {
    const pixel = (y! * 512 + x!) * 3;
    assert.deepEqual([...data.subarray(pixel, pixel + 3)], [...painted.subarray(token * 3, token * 3 + 3)]);
  }
});

test('gives an answer back that it cannot draw', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  let released = 0;
  const stub = stubParts(async (request) => {
    const answered = await firstByte(request);
    return { ...answered, tensor: { ...answered.tensor, shape: [2] }, release: () => (released += 1) };
  });
  const { exitCode } = await encodeWith([at('a.jpg')], ['--preview', at('a.png')], stub);
  assert.ok(exitCode instanceof ServiceError);
  assert.match(exitCode.message, /is no map of tokens/);
  assert.equal(released, 1);
});

test('draws one image, and nothing beside it', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1], 'b.jpg': [2] });
  for (const operands of [[at('.')], [at('*.png')]]) {
    const { exitCode, seen } = await encodeWith(operands, ['--preview', at('a.png')]);
    assert.ok(exitCode instanceof ServiceError);
    assert.equal(exitCode.code, 'invalid_argument');
    assert.equal(seen.encoded, 0);
  }
});

test('says that it was interrupted', async (context) => {
  const at = await folderWith(context, { 'a.jpg': [1] });
  const { terminal, interrupt } = fakeTerminal();
  const { parts, seen } = stubParts(async ({ signal }) => {
    interrupt();
    throw abortFailure(signal);
  });
  const drawing = encodeFiles([at('a.jpg')], settingsOf(['--preview', at('a.png')]), terminal, parts);
  await assert.rejects(drawing, { code: 'cancelled', message: 'Interrupted.' });
  assert.equal(seen.closed, 1);
  assert.deepEqual(await readdir(at('.')), ['a.jpg']);
});
