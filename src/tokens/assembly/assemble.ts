import type { Assembly, Plan } from '../../recipes/plan.ts';
import { AnswerWriter } from './answer-writer.ts';
import { Average } from './average.ts';
import { Concat } from './concat.ts';
import { fitted } from './fitted-map.ts';
import { tokenBytes, type TokenRows } from './token-rows.ts';
import { Unshuffled } from './unshuffled.ts';
import { mapSize, stackLayout, ViewMap, type ViewTokens } from './view-map.ts';
import { KernelLayout, withKernel } from '../kernel.ts';
import type { TokenDtype } from '../tensor.ts';

/** What of a plan says how its answer is put together. */
export type AssemblyPlan = Pick<Plan, 'viewGrid' | 'channels' | 'assembly' | 'shape' | 'grid'>;

/**
 * The plan's answer from its views' tokens: `views[i]` has the float32 tokens (little-endian, grid x channels) of the
 * plan's view i. Gives the values of `plan.shape` in `dtype`, little-endian, in a buffer of its own; the views are
 * only read. All arithmetic is float32, rounded once at the end. Rows go through a kernel's memory one by one:
 * beside views and answer it takes a few rows of room. Synchronous, and not for the main thread.
 *
 * Throws `internal` when a value is not finite in `dtype`, and RangeError for views or a shape that are not the
 * plan's.
 */
export function assemble(
  plan: AssemblyPlan,
  views: readonly Uint8Array<ArrayBuffer>[],
  dtype: TokenDtype,
): Uint8Array<ArrayBuffer> {
  requireSizes(plan, views);

  const memory = new KernelLayout();
  const parts = answerParts(memory, plan, views);
  const values = parts.reduce((sum, { width, height, channels }) => sum + width * height * channels, 0);
  const planned = plan.shape.reduce((product, length) => product * length, 1);
  if (values !== planned) throw new RangeError(`the parts have ${values} values, the plan ${planned}`);
  const answer = new AnswerWriter(memory, parts, dtype);
  return withKernel(memory.sizeBytes, (kernel) => {
    for (const part of parts) answer.write(kernel, part);
    return answer.finish();
  });
}

function requireSizes(
  { viewGrid, channels, assembly }: AssemblyPlan,
  views: readonly Uint8Array<ArrayBuffer>[],
): void {
  const maps = assembly.kind === 'fuse' ? assembly.maps : [];
  for (const [index, { byteLength }] of views.entries()) {
    const grid = maps.find((map) => map.views.includes(index))?.viewGrid ?? viewGrid;
    const expected = tokenBytes(grid.width * grid.height, channels);
    if (byteLength !== expected)
      throw new RangeError(`view ${index} has another number of bytes than ${expected}`);
  }
}

/** What the answer consists of, one after the other. */
function answerParts(
  memory: KernelLayout,
  plan: AssemblyPlan,
  views: readonly Uint8Array<ArrayBuffer>[],
): TokenRows[] {
  const { viewGrid: grid, channels, assembly } = plan;
  const tokens: ViewTokens = { views, grid, channels };
  const stack = (indices: number[]): TokenRows => new ViewMap(memory, tokens, stackLayout(indices, grid));
  if (assembly.kind === 'single') return [stack([0])];
  if (assembly.kind === 'stack') return [stack([...views.keys()])];
  if (assembly.kind === 'fuse') return [fused(memory, tokens, assembly, plan.grid)];
  return [stack([0]), ...unpadded(memory, tokens, assembly)];
}

/** Nothing where nothing is kept. */
function unpadded(
  memory: KernelLayout,
  tokens: ViewTokens,
  { map, unpad, limited }: Extract<Assembly, { kind: 'anyres' }>,
): TokenRows[] {
  if (limited.width === 0 || limited.height === 0) return [];
  return [fitted(memory, new ViewMap(memory, tokens, map, unpad), limited)];
}

function fused(
  memory: KernelLayout,
  tokens: ViewTokens,
  { maps: layouts, fusion, weights, channelOrder }: Extract<Assembly, { kind: 'fuse' }>,
  grid: Plan['grid'],
): TokenRows {
  const maps = layouts.map((layout): TokenRows => {
    const map = new ViewMap(memory, tokens, layout);
    if (fusion !== 'unshuffle_concat') return fitted(memory, map, grid);
    const { width, height } = mapSize(layout, tokens.grid);
    const side = width / grid.width;
    if (!Number.isInteger(side) || height !== side * grid.height) {
      throw new RangeError(`a ${width} x ${height} map is no multiple of ${grid.width} x ${grid.height}`);
    }
    return side === 1 ? map : new Unshuffled(memory, map, side, channelOrder);
  });
  const [first, ...others] = maps;
  if (first === undefined) throw new RangeError('the plan fuses no map');
  return fusion === 'average'
    ? new Average(memory, [first, ...others], weights)
    : new Concat(memory, [first, ...others]);
}
