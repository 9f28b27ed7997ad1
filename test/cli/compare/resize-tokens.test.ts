import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resizeTokens } from '../../../src/cli/compare/resize-tokens.ts';

/** torch's interpolate(mode='bilinear', align_corners=False), one value at a time. */
function bilinear(tokens: Float32Array, channels: number, from: number, to: number): number[] {
  const at = (y: number, x: number, channel: number) =>
    tokens[(Math.min(y, from - 1) * from + Math.min(x, from - 1)) * channels + channel]!;
  const place = (i: number) => Math.max(((i + 0.5) * from) / to - 0.5, 0);
  return Array.from({ length: to * to * channels }, (_, index) => {
    const [token, channel] = [Math.floor(index / channels), index % channels];
    const [y, x] = [place(Math.floor(token / to)), place(token % to)];
    const [top, left] = [Math.floor(y), Math.floor(x)];
    const row = (line: number) =>
      at(line, left, channel) * (1 - x + left) + at(line, left + 1, channel) * (x - left);
    return row(top) * (1 - y + top) + row(top + 1) * (y - top);
  });
}

test('brings tokens to a coarser grid as torch does, and leaves those of the same grid alone', () => {
  const tokens = Float32Array.from({ length: 32 * 32 * 3 }, (_, index) => Math.sin(index * 1.7) * 3);
  const grid = (side: number) => ({ width: side, height: side });
  for (const side of [27, 24, 16, 1]) {
    const resized = resizeTokens(tokens, 3, grid(32), grid(side));
    const expected = bilinear(tokens, 3, 32, side);
    assert.equal(resized.length, expected.length);
    for (const [index, value] of expected.entries()) assert.ok(Math.abs(resized[index]! - value) < 1e-5);
  }
  assert.equal(resizeTokens(tokens, 3, grid(32), grid(32)), tokens);
});
