import type { Assembly, Plan } from '../../recipes/plan.ts';
import { AnswerWriter } from './answer-writer.ts';
import { Average } from './average.ts';
import { Concat } from './concat.ts';
import { fitted } from './fitted-map.ts';
import { WithNewlines } from './with-newlines.ts';
import { tokenBytes, type TokenRows } from './token-rows.ts';
import { Unshuffled } from './unshuffled.ts';
import { stackLayout, ViewMap, type ViewTokens } from './view-map.ts';
import { KernelLayout, withKernel } from '../kernel.ts';
import type { TokenDtype } from '../tensor.ts';

/** The part of a plan that says how its answer is assembled. */
export type AssemblyPlan = Pick<Plan, 'viewGrid' | 'channels' | 'assembly' | 'shape' | 'grid'>;

/**
 * Assembles a plan's answer from its views' tokens. `views[i]` are the little-endian float32 tokens of the plan's view
 * i, and `newline` is the projector's row, for a plan with newlines; they are only read. Returns the little-endian
 * values of `plan.shape` in `dtype`, in a buffer of their own.
 *
 * All arithmetic is float32, rounded once at the end. Rows pass through a kernel's memory one by one, so it needs room
 * for only a few rows beside views and answer. It is synchronous and must not run on the main thread.
 *
 * Throws `internal` for a value that is not finite in `dtype`, and RangeError for views or a shape that do not fit the
 * plan.
 */
export function assemble(
  plan: AssemblyPlan,
  views: readonly Uint8Array<ArrayBuffer>[],
  dtype: TokenDtype,
  newline?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  requireSizes(plan, views);

  const memory = new KernelLayout();
  const parts = answerParts(memory, plan, views, newline);
  const values = parts.reduce((sum, { width, height, channels }) => sum + width * height * channels, 0);
  const planned = plan.shape.reduce((product, length) => product * length, 1);
  if (values !== planned)
    throw new RangeError(`the parts have ${values} values, but the plan has ${planned}`);
  const answer = new AnswerWriter(memory, parts, dtype);
  return withKernel(memory.sizeBytes, (kernel) => {
    for (const part of parts) answer.write(kernel, part);
    return answer.bytes;
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
    if (byteLength !== expected) {
      throw new RangeError(`view ${index} has ${byteLength} bytes; the plan needs ${expected}`);
    }
  }
}

/** The consecutive parts of the answer. */
function answerParts(
  memory: KernelLayout,
  plan: AssemblyPlan,
  views: readonly Uint8Array<ArrayBuffer>[],
  newline: Uint8Array<ArrayBuffer> | undefined,
): TokenRows[] {
  const { viewGrid: grid, channels, assembly } = plan;
  const tokens: ViewTokens = { views, grid, channels };
  const stack = (indices: number[]): TokenRows => new ViewMap(memory, tokens, stackLayout(indices, grid));
  if (assembly.kind === 'single') return [stack([0])];
  if (assembly.kind === 'stack') return [stack([...views.keys()])];
  if (assembly.kind === 'fuse') return [fused(memory, tokens, assembly, plan.grid)];
  return [stack([0]), ...unpadded(memory, tokens, assembly, newline)];
}

/** The part of an anyres map that is kept, with its newline rows; nothing for extreme shapes. */
function unpadded(
  memory: KernelLayout,
  tokens: ViewTokens,
  { map, unpad, limited, newline: hasNewline = false }: Extract<Assembly, { kind: 'anyres' }>,
  newline: Uint8Array<ArrayBuffer> | undefined,
): TokenRows[] {
  const isEmpty = limited.width === 0 || limited.height === 0;
  const kept = isEmpty ? undefined : fitted(memory, new ViewMap(memory, tokens, map, unpad), limited);
  if (!hasNewline) return kept === undefined ? [] : [kept];
  if (newline?.byteLength !== tokenBytes(1, tokens.channels)) {
    throw new RangeError(`the newline row has ${newline?.byteLength ?? 0} bytes`);
  }
  return limited.height === 0 ? [] : [new WithNewlines(memory, kept, limited.height, newline)];
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
    const { width, height } = map;
    const side = width / grid.width;
    if (!Number.isInteger(side) || height !== side * grid.height) {
      throw new RangeError(
        `a map of ${width} x ${height} is not a multiple of ${grid.width} x ${grid.height}`,
      );
    }
    return side === 1 ? map : new Unshuffled(memory, map, side, channelOrder);
  });
  const [first, ...others] = maps;
  if (first === undefined) throw new RangeError('the plan has no map to fuse');
  return fusion === 'average'
    ? new Average(memory, [first, ...others], weights)
    : new Concat(memory, [first, ...others]);
}
