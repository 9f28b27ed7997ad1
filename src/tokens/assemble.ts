import { ServiceError } from '../errors.ts';
import type { Plan } from '../recipes/plan.ts';
import { toBfloat16 } from './bfloat16.ts';
import { tokenKernel } from './kernel.ts';
import { type AddRow, addResized, addUnshuffled, type RowTarget, rowsBytes } from './map-rows.ts';
import { TokenRows } from './token-rows.ts';
import type { TokenDtype } from './tensor.ts';
import { tokenMap } from './token-map.ts';

type FuseAssembly = Extract<Plan['assembly'], { kind: 'fuse' }>;
type AnyresAssembly = Extract<Plan['assembly'], { kind: 'anyres' }>;

/**
 * The answer's tokens, from the views' float32 tokens in the order of the plan's views: stitched, interpolated, fused
 * in float32, and rounded once to `dtype`. The result owns its buffer. Throws `internal` for what is not finite as
 * float16. Takes tens of milliseconds: not for the main thread.
 */
export function assemble(
  plan: Plan,
  views: readonly Uint8Array<ArrayBuffer>[],
  dtype: TokenDtype,
): Uint8Array<ArrayBuffer> {
  const { assembly } = plan;
  const floats = views.map((view) => new Float32Array(view.buffer, view.byteOffset, view.byteLength / 4));
  const rows = new TokenRows(
    plan.shape.reduce((product, side) => product * side, 1),
    dtype,
  );
  switch (assembly.kind) {
    case 'single':
    case 'stack':
      throw new Error(`the tokens of a ${assembly.kind} answer need no assembly`);
    case 'fuse':
      fuse(plan, assembly, floats, rows);
      break;
    case 'anyres':
      mergeAnyres(plan, assembly, floats, rows);
      break;
  }
  if (!rows.isFinite) throw notFinite();
  return dtype === 'bfloat16' ? toBfloat16(rows.bytes) : rows.bytes;
}

function fuse(plan: Plan, assembly: FuseAssembly, views: readonly Float32Array[], rows: TokenRows): void {
  const { grid, channels, shape } = plan;
  const { fusion, weights, channelOrder } = assembly;
  const tokenStride = shape.at(-1)!;
  const rowValues = grid.width * tokenStride;
  const maps = assembly.maps.map((layout) => tokenMap(layout, views, plan));
  const ratios = maps.map(({ width }) => (fusion === 'unshuffle_concat' ? width / grid.width : 1));
  const sourcesAddress = rows.workBytes(rowValues);
  const sourceBytes = maps.map((map, index) => rowsBytes(map, channels, Math.max(2, ratios[index]!)));
  const endAddress = sourcesAddress + sourceBytes.reduce((sum, bytes) => sum + bytes, 0);
  tokenKernel.use(endAddress, (kernel) => {
    let address = sourcesAddress;
    let first = 0;
    const layers = maps.map((map, index): AddRow => {
      const part = { x: 0, y: 0, width: map.width, height: map.height };
      const source = { map, part, channels, address };
      address += sourceBytes[index]!;
      const weight = fusion === 'average' ? Math.fround(weights[index]!) : 1;
      const target: RowTarget = { address: 0, tokenStride, first, weight };
      const ratio = ratios[index]!;
      if (fusion !== 'average') first += channels * ratio * ratio;
      return ratio === 1
        ? addResized(kernel, source, grid, target)
        : addUnshuffled(kernel, source, ratio, channelOrder, target);
    });
    for (let y = 0; y < grid.height; y++)
      rows.write(kernel, rowValues, () => layers.forEach((add) => add(y)));
  });
}

function mergeAnyres(
  plan: Plan,
  { map, unpad, limited }: AnyresAssembly,
  views: readonly Float32Array[],
  rows: TokenRows,
): void {
  const { channels, viewGrid } = plan;
  const base = views[0]!;
  const baseValues = viewGrid.width * channels;
  const rowValues = limited.width * channels;
  const sourceAddress = rows.workBytes(Math.max(baseValues, rowValues));
  tokenKernel.use(sourceAddress + rowsBytes(unpad, channels, 2), (kernel) => {
    for (let y = 0; y < viewGrid.height; y++) {
      rows.copy(kernel, base.subarray(y * baseValues, (y + 1) * baseValues));
    }
    if (limited.width === 0 || limited.height === 0) return;
    const source = { map: tokenMap(map, views, plan), part: unpad, channels, address: sourceAddress };
    const target = { address: 0, tokenStride: channels, first: 0, weight: 1 };
    const add = addResized(kernel, source, limited, target);
    for (let y = 0; y < limited.height; y++) rows.write(kernel, rowValues, () => add(y));
  });
}

function notFinite(): ServiceError {
  return new ServiceError(
    'internal',
    'The tokens of this image are not finite as float16. float32 tokens may be: ask for dtype=float32.',
  );
}
