import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Locator } from 'playwright-core';
import sharp from 'sharp';
import type { TokenSet } from '../../src/tokens/colours/token-set.ts';
import { until } from '../support/until.ts';
import { site } from './site.ts';

/** The bytes of a sample. */
export function sampleBytes(name: string): Buffer<ArrayBuffer> {
  return readFileSync(`web/samples/${name}`);
}

/** The tokens of a sample, asked for without the page and decoded without its code. */
export async function tokensOf(
  name: string,
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<TokenSet> {
  const { service } = await site();
  const search = new URLSearchParams({ ...query, format: 'raw', dtype: 'float16' });
  const answer = await fetch(`http://127.0.0.1:${service.httpPort}/v1/${path}?${search.toString()}`, {
    method: 'POST',
    body: sampleBytes(name),
  });
  const { shape } = JSON.parse(answer.headers.get('tokens-meta') ?? '{}') as { shape: number[] };
  const bytes = new DataView(await answer.arrayBuffer());
  const channels = shape.at(-1)!;
  const data = Float32Array.from({ length: bytes.byteLength / 2 }, (_, index) =>
    float16(bytes.getUint16(2 * index, true)),
  );
  return { data, count: data.length / channels, channels };
}

/** IEEE 754 binary16. */
function float16(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent === 0 ? fraction / 2 ** 24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits >> 15 === 1 ? -size : size;
}

/** The cosine of two tokens of a set, term by term. */
export function cosine({ data, channels }: TokenSet, a: number, b: number): number {
  let [dot, squaresA, squaresB] = [0, 0, 0];
  for (let channel = 0; channel < channels; channel++) {
    const [x, y] = [data[a * channels + channel]!, data[b * channels + channel]!];
    dot += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  return dot / Math.sqrt(squaresA * squaresB);
}

/** The colours that the browser shows of a panel at the middles of a grid of tokens, which covers its picture. */
export async function shownColours(panel: Locator, columns: number, rows: number): Promise<number[][]> {
  const image = sharp(await panel.locator('.token-picture').screenshot()).removeAlpha();
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  return Array.from({ length: columns * rows }, (_, token) => {
    const x = Math.floor((((token % columns) + 0.5) * info.width) / columns);
    const y = Math.floor(((Math.floor(token / columns) + 0.5) * info.height) / rows);
    return [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
  });
}

/** Waits until a panel shows these colours, three bytes a token, at the middles of its tokens. Rejects if it never does. */
export async function showsColours(
  panel: Locator,
  columns: number,
  rows: number,
  expected: ArrayLike<number>,
): Promise<void> {
  let worst = Infinity;
  await until(async () => {
    worst = largestDifference(await shownColours(panel, columns, rows), expected);
    return worst <= tolerance;
  }).catch(() => assert.fail(`a colour is off by ${worst}`));
}

/** Browsers round colours when they blend. */
const tolerance = 2;

/** The largest difference of two lists of colours, in any channel of any colour. */
export function largestDifference(
  shown: readonly (readonly number[])[],
  expected: ArrayLike<number>,
): number {
  return Math.max(
    ...shown.flatMap((colour, token) =>
      colour.map((value, channel) => Math.abs(value - expected[token * 3 + channel]!)),
    ),
  );
}
