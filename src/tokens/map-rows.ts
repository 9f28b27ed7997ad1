import type { ChannelOrder, Size } from '../recipes/plan.ts';
import { bilinearAxis } from './interpolate.ts';
import type { TokenKernel } from './kernel.ts';
import type { TokenMap } from './token-map.ts';

/** The part of a map that is used, in tokens. */
export interface MapPart extends Size {
  readonly x: number;
  readonly y: number;
}

/** Adds row `y` of a resized map, times a weight, to a row of tokens in the kernel's memory. */
export type AddRow = (y: number) => void;

/** Where a row of the answer lies in the kernel's memory, and where in each of its tokens the values go. */
export interface RowTarget {
  readonly address: number;
  /** Values from one token to the next. */
  readonly tokenStride: number;
  /** First value of a token that is added to. */
  readonly first: number;
  readonly weight: number;
}

interface Source {
  readonly map: TokenMap;
  readonly part: MapPart;
  readonly channels: number;
  /** Room for `rows` rows of the part. */
  readonly address: number;
}

/** Bytes that `rows` rows of a part take. */
export function rowsBytes({ width }: Size, channels: number, rows: number): number {
  return width * channels * 4 * rows;
}

/** The part brought to `size` by torch's bilinear. Takes room for two of its rows. */
export function addResized(kernel: TokenKernel, source: Source, size: Size, target: RowTarget): AddRow {
  const { part, channels } = source;
  const across = bilinearAxis(part.width, size.width);
  const down = bilinearAxis(part.height, size.height);
  const rowAddress = heldRows(kernel, source, 2);
  return (y) => {
    const [top, bottom, below] = [down.low[y]!, down.high[y]!, down.share[y]!];
    const upper = rowAddress(top);
    const lower = rowAddress(bottom);
    for (let x = 0; x < size.width; x++) {
      const sum = target.address + (x * target.tokenStride + target.first) * 4;
      const left = across.low[x]! * channels * 4;
      const right = across.high[x]! * channels * 4;
      const beside = across.share[x]!;
      if (below === 0 && beside === 0) {
        kernel.add(upper + left, target.weight, sum, channels);
        continue;
      }
      kernel.blend(
        upper + left,
        upper + right,
        lower + left,
        lower + right,
        target.weight * (1 - beside) * (1 - below),
        target.weight * beside * (1 - below),
        target.weight * (1 - beside) * below,
        target.weight * beside * below,
        sum,
        channels,
      );
    }
  };
}

/** Space to depth: the ratio x ratio tokens under each target token. Takes room for `ratio` rows of the part. */
export function addUnshuffled(
  kernel: TokenKernel,
  source: Source,
  ratio: number,
  order: ChannelOrder,
  target: RowTarget,
): AddRow {
  const { part, channels } = source;
  const rowAddress = heldRows(kernel, source, ratio);
  const step = order === 'torch' ? ratio * ratio : 1;
  const cellFirst = order === 'torch' ? 1 : channels;
  return (y) => {
    for (let dy = 0; dy < ratio; dy++) {
      const row = rowAddress(y * ratio + dy);
      for (let x = 0; x < part.width; x++) {
        const cell = dy * ratio + (x % ratio);
        const token = Math.floor(x / ratio) * target.tokenStride + target.first;
        kernel.scatter(
          row + x * channels * 4,
          target.address + (token + cell * cellFirst) * 4,
          step,
          channels,
        );
      }
    }
  };
}

/** Copies rows of the part into the kernel's memory as they are asked for; the last `count` different ones are held. */
function heldRows(kernel: TokenKernel, { map, part, channels, address }: Source, count: number) {
  const held = new Int32Array(count).fill(-1);
  const rowValues = part.width * channels;
  return (y: number): number => {
    const slot = y % count;
    const at = address + slot * rowValues * 4;
    if (held[slot] !== y) {
      map.copyRow(part.x, part.y + y, part.width, new Float32Array(kernel.memory.buffer, at, rowValues));
      held[slot] = y;
    }
    return at;
  };
}
