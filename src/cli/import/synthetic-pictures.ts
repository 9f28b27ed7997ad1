import type { Raster } from '../../image/raster.ts';

const side = 512;
const shapes = 60;
const octaves = 7;

/**
 * Two pictures of 512 x 512 from a seed, the same each time: one like a landscape (coloured noise whose power falls
 * with its frequency) and one like a page (dark bars, boxes and discs on paper).
 */
export function syntheticPictures(seed: number): readonly Raster[] {
  const random = uniform(seed);
  return [landscape(random), page(random)];
}

type Random = () => number;

/** Uniform in [0, 1), by xorshift. */
function uniform(seed: number): Random {
  let state = seed === 0 ? 1 : seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function landscape(random: Random): Raster {
  const values = new Float32Array(side * side * 3).fill(110);
  for (let octave = 1; octave <= octaves; octave += 1) {
    const cells = 2 ** octave;
    const grid = Float32Array.from({ length: (cells + 1) ** 2 * 3 }, () => (random() - 0.5) * (200 / octave));
    for (let y = 0; y < side; y += 1) {
      for (let x = 0; x < side; x += 1) addCell(values, (y * side + x) * 3, grid, cells, x, y);
    }
  }
  return { width: side, height: side, data: Uint8Array.from(values, clamp) };
}

/** Adds the grid's bilinear value at a pixel. */
function addCell(
  values: Float32Array,
  at: number,
  grid: Float32Array,
  cells: number,
  x: number,
  y: number,
): void {
  const [across, down] = [(x * cells) / side, (y * cells) / side];
  const [column, row] = [Math.floor(across), Math.floor(down)];
  const [right, lower] = [across - column, down - row];
  const corner = (row * (cells + 1) + column) * 3;
  const below = corner + (cells + 1) * 3;
  for (let channel = 0; channel < 3; channel += 1) {
    const upper = grid[corner + channel]! * (1 - right) + grid[corner + 3 + channel]! * right;
    const under = grid[below + channel]! * (1 - right) + grid[below + 3 + channel]! * right;
    values[at + channel]! += upper * (1 - lower) + under * lower;
  }
}

function page(random: Random): Raster {
  const data = new Uint8Array(side * side * 3).fill(244);
  for (let shape = 0; shape < shapes; shape += 1) {
    const isText = shape % 3 > 0;
    const [left, top] = [random() * side, random() * side];
    const width = isText ? 40 + random() * 200 : 10 + random() * 120;
    const height = isText ? 3 + random() * 6 : 10 + random() * 120;
    const isDisc = shape % 6 === 0;
    const colour = isText ? [30, 30, 34] : [random() * 255, random() * 255, random() * 255];
    for (let y = Math.floor(top); y < Math.min(side, top + height); y += 1) {
      for (let x = Math.floor(left); x < Math.min(side, left + width); x += 1) {
        const beyond = ((x - left) / width - 0.5) ** 2 + ((y - top) / height - 0.5) ** 2 > 0.25;
        // Letters: strokes and gaps of a few pixels.
        if (isDisc ? beyond : isText && (x * 7 + (y >> 1) * 3) % 11 < 5) continue;
        data.set(colour, (y * side + x) * 3);
      }
    }
  }
  return { width: side, height: side, data };
}

function clamp(value: number): number {
  return Math.max(0, Math.min(255, Math.round(value)));
}
