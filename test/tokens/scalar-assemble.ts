import type { Assembly, ChannelOrder, MapLayout, Size, TokenRect } from '../../src/recipes/plan.ts';
import type { AssemblyPlan } from '../../src/tokens/assembly/assemble.ts';

/** A map of tokens, float32, row-major, channels last. */
interface TokenMap extends Size {
  readonly channels: number;
  readonly values: Float32Array;
}

const { fround } = Math;

/** The assembly written plainly from its description, whole map after whole map: as float32. */
export function scalarAssemble(plan: AssemblyPlan, views: readonly Float32Array[]): Float32Array {
  const { assembly, viewGrid, channels, grid } = plan;
  switch (assembly.kind) {
    case 'single':
      return views[0]!;
    case 'stack':
      return joined(views);
    case 'fuse': {
      const maps = assembly.maps.map((layout) => stitched(layout, views, viewGrid, channels));
      return fused(maps, assembly, grid);
    }
    case 'anyres': {
      const { map, unpad, limited } = assembly;
      if (limited.width * limited.height === 0) return views[0]!;
      const kept = cropped(stitched(map, views, viewGrid, channels), unpad);
      return joined([views[0]!, resized(kept, limited).values]);
    }
    default:
      return assembly;
  }
}

function fused(
  maps: readonly TokenMap[],
  { fusion, weights, channelOrder }: Extract<Assembly, { kind: 'fuse' }>,
  grid: Size,
): Float32Array {
  if (fusion === 'average') {
    const sum = new Float32Array(grid.width * grid.height * maps[0]!.channels);
    for (const [index, map] of maps.entries()) {
      const weight = fround(weights[index]!);
      const { values } = resized(map, grid);
      for (const [i, value] of values.entries()) sum[i] = sum[i]! + fround(value * weight);
    }
    return sum;
  }
  const parts = maps.map((map) =>
    fusion === 'concat' ? resized(map, grid) : unshuffled(map, map.width / grid.width, channelOrder),
  );
  const tokens: Float32Array[] = [];
  for (let token = 0; token < grid.width * grid.height; token++) {
    for (const { values, channels } of parts) {
      tokens.push(values.subarray(token * channels, (token + 1) * channels));
    }
  }
  return joined(tokens);
}

/** Tokens that no view covers are NaN. */
function stitched(
  { columns, rows, stride, views: indices }: MapLayout,
  views: readonly Float32Array[],
  grid: Size,
  channels: number,
): TokenMap {
  const width = (columns - 1) * stride.width + grid.width;
  const height = (rows - 1) * stride.height + grid.height;
  const values = new Float32Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        let count = 0;
        for (const [place, index] of indices.entries()) {
          const inX = x - (place % columns) * stride.width;
          const inY = y - Math.floor(place / columns) * stride.height;
          if (index === null || inX < 0 || inY < 0 || inX >= grid.width || inY >= grid.height) continue;
          sum = fround(sum + views[index]![(inY * grid.width + inX) * channels + channel]!);
          count++;
        }
        values[(y * width + x) * channels + channel] = sum / count;
      }
    }
  }
  return { width, height, channels, values };
}

function cropped(map: TokenMap, { x: left, y: top, width, height }: TokenRect): TokenMap {
  const rows = Array.from({ length: height }, (_, y) => {
    const start = ((top + y) * map.width + left) * map.channels;
    return map.values.subarray(start, start + width * map.channels);
  });
  return { width, height, channels: map.channels, values: joined(rows) };
}

/** torch's interpolate(mode='bilinear', align_corners=False). */
function resized(map: TokenMap, { width, height }: Size): TokenMap {
  const { channels } = map;
  const at = (x: number, y: number, channel: number) => map.values[(y * map.width + x) * channels + channel]!;
  const mix = (a: number, b: number, share: number) =>
    share === 0 ? a : fround(fround(a * fround(1 - share)) + fround(b * share));
  const values = new Float32Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const down = between(y, map.height, height);
    for (let x = 0; x < width; x++) {
      const across = between(x, map.width, width);
      for (let c = 0; c < channels; c++) {
        const top = mix(at(across.low, down.low, c), at(across.high, down.low, c), across.share);
        const bottom = mix(at(across.low, down.high, c), at(across.high, down.high, c), across.share);
        values[(y * width + x) * channels + c] = mix(top, bottom, down.share);
      }
    }
  }
  return { width, height, channels, values };
}

function between(i: number, inputs: number, outputs: number) {
  const position = Math.max(0, fround(fround(inputs / outputs) * (i + 0.5) - 0.5));
  const low = Math.floor(position);
  return { low, high: Math.min(low + 1, inputs - 1), share: fround(position - low) };
}

function unshuffled(map: TokenMap, side: number, order: ChannelOrder): TokenMap {
  const width = map.width / side;
  const height = map.height / side;
  const channels = map.channels * side * side;
  const values = new Float32Array(map.values.length);
  for (let y = 0; y < map.height; y++) {
    for (let x = 0; x < map.width; x++) {
      const token = Math.floor(y / side) * width + Math.floor(x / side);
      const part = (y % side) * side + (x % side);
      for (let c = 0; c < map.channels; c++) {
        const channel = order === 'torch' ? c * side * side + part : part * map.channels + c;
        values[token * channels + channel] = map.values[(y * map.width + x) * map.channels + c]!;
      }
    }
  }
  return { width, height, channels, values };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
