import { shareOf, type ValueRange } from './quantile.ts';

/** An RGB colour, 0 to 255 each. */
export type Colour = readonly [red: number, green: number, blue: number];

/**
 * Eleven colours at equal steps of inferno (Smith and van der Walt, matplotlib; CC0): from black over violet and
 * orange to pale yellow, ever lighter, so that it can be read in grey and by the colour-blind.
 */
export const inferno: readonly Colour[] = [
  [0x00, 0x00, 0x04],
  [0x16, 0x0b, 0x39],
  [0x42, 0x0a, 0x68],
  [0x6a, 0x17, 0x6e],
  [0x93, 0x26, 0x67],
  [0xbc, 0x37, 0x54],
  [0xdd, 0x51, 0x3a],
  [0xf3, 0x78, 0x19],
  [0xfc, 0xa5, 0x0a],
  [0xf6, 0xd7, 0x46],
  [0xfc, 0xff, 0xa4],
];

/** The colour at a share of the scale, 0 to 1. Beyond an end it is the end's. */
export function colourOf(share: number): Colour {
  const colour: [number, number, number] = [0, 0, 0];
  putColour(colour, 0, share);
  return colour;
}

/** Inferno's colour of each value, three bytes each: black at the range's low end, pale yellow at its high end. */
export function paintHeat(values: ArrayLike<number>, range: ValueRange): Uint8ClampedArray<ArrayBuffer> {
  const bytes = new Uint8ClampedArray(values.length * 3);
  for (let i = 0; i < values.length; i++) putColour(bytes, i * 3, shareOf(values[i]!, range));
  return bytes;
}

/** Writes the colour at a share of the scale to `at`. It makes no arrays, since the page paints thousands of tokens a frame. */
function putColour(into: Record<number, number>, at: number, share: number): void {
  const place = Math.min(1, Math.max(0, share)) * (inferno.length - 1);
  const below = Math.min(Math.floor(place), inferno.length - 2);
  const from = inferno[below]!;
  const to = inferno[below + 1]!;
  for (let channel = 0; channel < 3; channel++)
    into[at + channel] = from[channel]! + (to[channel]! - from[channel]!) * (place - below);
}
