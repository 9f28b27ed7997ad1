import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Assembly, ChannelOrder, MapLayout, Size } from '../../../src/recipes/plan.ts';
import { assemble, type AssemblyPlan } from '../../../src/tokens/assembly/assemble.ts';
import { withKernel } from '../../../src/tokens/kernel.ts';
import { scalarAssemble } from '../scalar-assemble.ts';
import { nearestBfloat16, nearestHalf } from '../scalar-halves.ts';

type AnyresAssembly = Extract<Assembly, { kind: 'anyres' }>;

const bytesOf = (values: Float32Array<ArrayBuffer>) => new Uint8Array(values.buffer);
const floats = (bytes: Uint8Array<ArrayBuffer>) => new Float32Array(bytes.buffer);
const halves = (bytes: Uint8Array<ArrayBuffer>) => new Uint16Array(bytes.buffer);

/** Made-up tokens of `count` views. */
function viewsOf(count: number, { width, height }: Size, channels: number, seed = 1) {
  let state = seed;
  return Array.from({ length: count }, () =>
    Float32Array.from({ length: width * height * channels }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 30 - 2;
    }),
  );
}

/** A layout of views from index `first` on. */
function layoutOf(columns: number, rows: number, stride: Size, first = 0): MapLayout {
  return { columns, rows, stride, views: Array.from({ length: columns * rows }, (_, i) => first + i) };
}

function anyresPlan(viewGrid: Size, channels: number, assembly: AnyresAssembly): AssemblyPlan {
  const { width, height } = assembly.limited;
  const shape = [viewGrid.width * viewGrid.height + width * height, channels];
  return { viewGrid, channels, grid: viewGrid, assembly, shape };
}

/** Fails unless the assembly equals the plain one in every dtype, to the last bit but for the sign of 0. */
function assertPlain(plan: AssemblyPlan, values: readonly Float32Array<ArrayBuffer>[]): void {
  const views = values.map(bytesOf);
  const got = floats(assemble(plan, views, 'float32'));
  const want = scalarAssemble(plan, values);
  assert.equal(got.length, want.length);
  const wrong = got.findIndex((value, i) => value !== want[i]);
  assert.equal(wrong, -1, `value ${wrong} is ${got[wrong]} and should be ${want[wrong]}`);
  assert.deepEqual(halves(assemble(plan, views, 'float16')), Uint16Array.from(got, nearestHalf));
  assert.deepEqual(halves(assemble(plan, views, 'bfloat16')), Uint16Array.from(got, nearestBfloat16));
}

const side = (max: number) => fc.integer({ min: 1, max });
const sizes = (max: number) => fc.record({ width: side(max), height: side(max) });

describe('assemble', () => {
  test('gives a single view as it is, in a buffer of its own', () => {
    const grid = { width: 3, height: 2 };
    const [view] = viewsOf(1, grid, 5);
    const plan: AssemblyPlan = {
      viewGrid: grid,
      channels: 5,
      grid,
      assembly: { kind: 'single' },
      shape: [6, 5],
    };
    assertPlain(plan, [view!]);
    const answer = assemble(plan, [bytesOf(view!)], 'float32');
    assert.notEqual(answer.buffer, view!.buffer);
    assert.equal(answer.buffer.byteLength, answer.byteLength);
  });

  test('stacks any number of views', () => {
    fc.assert(
      fc.property(side(5), sizes(4), side(9), (count, grid, channels) => {
        const shape = [count, grid.width * grid.height, channels];
        const plan: AssemblyPlan = { viewGrid: grid, channels, grid, assembly: { kind: 'stack' }, shape };
        assertPlain(plan, viewsOf(count, grid, channels));
      }),
    );
  });

  test('averages and concatenates maps of any layout on any grid', () => {
    const maps = fc.array(fc.record({ columns: side(3), rows: side(3) }), { minLength: 1, maxLength: 3 });
    const arbitrary = fc.record({
      viewGrid: sizes(5),
      strides: fc.record({ width: side(5), height: side(5) }),
      channels: side(11),
      maps,
      grid: sizes(9),
      fusion: fc.constantFrom('average' as const, 'concat' as const),
      weights: fc.array(fc.double({ min: 0.1, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 }),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(arbitrary, ({ viewGrid, strides, channels, maps: wanted, grid, fusion, weights, seed }) => {
        const stride = {
          width: Math.min(strides.width, viewGrid.width),
          height: Math.min(strides.height, viewGrid.height),
        };
        let count = 0;
        const layouts = wanted.map(({ columns, rows }) => {
          const layout = layoutOf(columns, rows, stride, count);
          count += columns * rows;
          return layout;
        });
        const tokenChannels = fusion === 'concat' ? channels * layouts.length : channels;
        const plan: AssemblyPlan = {
          viewGrid,
          channels,
          grid,
          assembly: { kind: 'fuse', maps: layouts, fusion, weights, channelOrder: 'torch' },
          shape: [grid.width * grid.height, tokenChannels],
        };
        assertPlain(plan, viewsOf(count, viewGrid, channels, seed));
      }),
      { numRuns: 300 },
    );
  });

  test('rearranges larger maps space to depth in either order of channels', () => {
    const orders = fc.constantFrom<ChannelOrder>('torch', 'internvl');
    fc.assert(
      fc.property(
        sizes(4),
        side(9),
        fc.uniqueArray(side(4), { minLength: 1 }),
        orders,
        (grid, channels, factors, order) => {
          let count = 0;
          const maps = factors.map((factor) => {
            const layout = layoutOf(factor, factor, grid, count);
            count += factor * factor;
            return layout;
          });
          const plan: AssemblyPlan = {
            viewGrid: grid,
            channels,
            grid,
            assembly: { kind: 'fuse', maps, fusion: 'unshuffle_concat', weights: [], channelOrder: order },
            shape: [grid.width * grid.height, channels * count],
          };
          assertPlain(plan, viewsOf(count, grid, channels));
        },
      ),
      { numRuns: 100 },
    );
  });

  test('gives base tokens and then any part of the tiles, at any limit', () => {
    const arbitrary = fc
      .record({ viewGrid: sizes(5), columns: side(3), rows: side(3), channels: side(11), seed: fc.nat() })
      .chain((base) => {
        const width = base.viewGrid.width * base.columns;
        const height = base.viewGrid.height * base.rows;
        return fc.record({
          base: fc.constant(base),
          x: fc.nat({ max: width - 1 }),
          y: fc.nat({ max: height - 1 }),
          right: side(width),
          bottom: side(height),
          limit: sizes(15),
        });
      });
    fc.assert(
      fc.property(arbitrary, ({ base, x, y, right, bottom, limit }) => {
        const { viewGrid, columns, rows, channels, seed } = base;
        const unpad = { x, y, width: Math.max(right - x, 1), height: Math.max(bottom - y, 1) };
        const limited = {
          width: Math.min(limit.width, unpad.width),
          height: Math.min(limit.height, unpad.height),
        };
        // Tiles of which nothing is kept are not encoded.
        let next = 1;
        const views = Array.from({ length: columns * rows }, (_, tile) => {
          const left = (tile % columns) * viewGrid.width;
          const top = Math.floor(tile / columns) * viewGrid.height;
          const isKept =
            left < x + unpad.width &&
            left + viewGrid.width > x &&
            top < y + unpad.height &&
            top + viewGrid.height > y;
          return isKept ? next++ : null;
        });
        const map: MapLayout = { columns, rows, stride: viewGrid, views };
        const plan = anyresPlan(viewGrid, channels, { kind: 'anyres', map, unpad, limited });
        assertPlain(plan, viewsOf(next, viewGrid, channels, seed));
      }),
      { numRuns: 300 },
    );
  });

  test('gives base tokens alone where nothing of the map is kept', () => {
    const grid = { width: 4, height: 4 };
    const nowhere: MapLayout = { columns: 2, rows: 1, stride: grid, views: [null, null] };
    for (const kept of [
      { width: 8, height: 0 },
      { width: 0, height: 4 },
    ]) {
      const unpad = { x: 0, y: 2, ...kept };
      const plan = anyresPlan(grid, 3, { kind: 'anyres', map: nowhere, unpad, limited: kept });
      assertPlain(plan, viewsOf(1, grid, 3));
    }
  });

  test('puts the newline row after each line of the kept and limited map, even of lines 0 wide', () => {
    const grid = { width: 4, height: 4 };
    const channels = 3;
    const newline = Float32Array.from([0.5, -1, 2]);
    for (const [kept, limited] of [
      [
        { width: 6, height: 8 },
        { width: 6, height: 8 },
      ],
      [
        { width: 6, height: 8 },
        { width: 5, height: 7 },
      ],
      [
        { width: 0, height: 8 },
        { width: 0, height: 8 },
      ],
    ] as const) {
      const map = layoutOf(2, 2, grid, 1);
      const assembly: AnyresAssembly = { kind: 'anyres', map, unpad: { x: 1, y: 0, ...kept }, limited };
      const values = viewsOf(5, grid, channels);
      const plain = anyresPlan(grid, channels, assembly);
      const without = [...floats(assemble(plain, values.map(bytesOf), 'float32'))];
      const base = without.slice(0, 16 * channels);
      const lines = Array.from({ length: limited.height }, (_, y) => {
        const start = (16 + y * limited.width) * channels;
        return [...without.slice(start, start + limited.width * channels), ...newline];
      });
      const shape = [16 + limited.height * (limited.width + 1), channels];
      const plan = { ...plain, assembly: { ...assembly, newline: true }, shape };
      const views = values.map(bytesOf);
      const got = floats(assemble(plan, views, 'float32', bytesOf(newline)));
      assert.deepEqual([...got], [...base, ...lines.flat()]);
      const brief = halves(assemble(plan, views, 'float16', bytesOf(newline)));
      assert.deepEqual(brief, Uint16Array.from(got, nearestHalf));
      assert.throws(() => assemble(plan, views, 'float32'), RangeError);
    }
  });

  test('limits a map to a single column', () => {
    const grid = { width: 8, height: 8 };
    const map = layoutOf(1, 3, grid, 1);
    const unpad = { x: 3, y: 0, width: 2, height: 24 };
    const limited = { width: 1, height: 17 };
    assertPlain(anyresPlan(grid, 6, { kind: 'anyres', map, unpad, limited }), viewsOf(4, grid, 6));
  });

  test("assembles a 27 x 27 grid's tiles, and 27 x 27 maps on a 37 x 37 grid", () => {
    const grid = { width: 27, height: 27 };
    const map = layoutOf(2, 2, grid, 1);
    const unpad = { x: 0, y: 9, width: 54, height: 36 };
    const limited = { width: 47, height: 31 };
    const views = viewsOf(5, grid, 8);
    assertPlain(anyresPlan(grid, 8, { kind: 'anyres', map, unpad, limited }), views);
    assertPlain(
      {
        viewGrid: grid,
        channels: 8,
        grid: { width: 37, height: 37 },
        assembly: {
          kind: 'fuse',
          maps: [layoutOf(1, 1, grid), map],
          fusion: 'average',
          weights: [1 / 3, 2 / 3],
          channelOrder: 'torch',
        },
        shape: [37 * 37, 8],
      },
      views,
    );
  });

  test('halves a map to the means of its squares, and thirds it to their centres', () => {
    const grid = { width: 4, height: 4 };
    const fuse = (factor: number): AssemblyPlan => ({
      viewGrid: grid,
      channels: 1,
      grid,
      assembly: {
        kind: 'fuse',
        maps: [layoutOf(factor, factor, grid)],
        fusion: 'average',
        weights: [1],
        channelOrder: 'torch',
      },
      shape: [16, 1],
    });
    // Tokens of the map counted from 0 on, by row and column: 4 views of 4 x 4, then 9.
    const counted = (factor: number) =>
      Array.from({ length: factor * factor }, (_, view) =>
        Float32Array.from({ length: 16 }, (__, token) => {
          const x = (view % factor) * 4 + (token % 4);
          const y = Math.floor(view / factor) * 4 + Math.floor(token / 4);
          return y * 100 + x;
        }),
      ).map(bytesOf);
    const halved = floats(assemble(fuse(2), counted(2), 'float32'));
    assert.deepEqual([...halved.subarray(0, 4)], [50.5, 52.5, 54.5, 56.5]);
    const thirds = floats(assemble(fuse(3), counted(3), 'float32'));
    assert.deepEqual([...thirds.subarray(4, 8)], [401, 404, 407, 410]);
  });

  test('refuses tokens that are not finite in the requested dtype, and says what may help', () => {
    const grid = { width: 2, height: 1 };
    const plan: AssemblyPlan = {
      viewGrid: grid,
      channels: 1,
      grid,
      assembly: { kind: 'single' },
      shape: [2, 1],
    };
    const of = (value: number) => [bytesOf(Float32Array.of(1, value))];
    assert.equal(halves(assemble(plan, of(-65_519), 'float16'))[1], 0xfbff);
    for (const value of [65_520, -65_520, 1e30, Infinity, -Infinity, Number.NaN]) {
      assert.throws(() => assemble(plan, of(value), 'float16'), {
        code: 'internal',
        message: /dtype=float32/,
      });
    }
    assert.equal(floats(assemble(plan, of(3e38), 'float32'))[1], Math.fround(3e38));
    assert.equal(assemble(plan, of(3e38), 'bfloat16').byteLength, 4);
    assert.throws(() => assemble(plan, of(3.4e38), 'bfloat16'), { code: 'internal' });
    for (const value of [Infinity, Number.NaN]) {
      assert.throws(() => assemble(plan, of(value), 'float32'), { code: 'internal', message: /not finite/ });
    }
  });

  test('refuses views and shapes that do not fit the plan', () => {
    const grid = { width: 2, height: 2 };
    const views = viewsOf(3, grid, 4).map(bytesOf);
    const plan: AssemblyPlan = {
      viewGrid: grid,
      channels: 4,
      grid,
      assembly: { kind: 'stack' },
      shape: [3, 4, 4],
    };
    assert.throws(() => assemble(plan, [...views, new Uint8Array(60)], 'float32'), /view 3/);
    assert.throws(() => assemble(plan, views.slice(1), 'float32'), RangeError);
    const map = layoutOf(2, 1, grid, 2);
    const unpad = { x: 0, y: 0, width: 4, height: 2 };
    const anyres = anyresPlan(grid, 4, { kind: 'anyres', map, unpad, limited: unpad });
    assert.throws(() => assemble(anyres, views, 'float32'), /row 0, column 1/);
  });

  test('needs little kernel memory for nine tiles of 1152 channels', () => {
    const grid = { width: 32, height: 32 };
    const [view] = viewsOf(1, grid, 1152).map(bytesOf);
    const map = { columns: 3, rows: 3, stride: grid, views: Array.from({ length: 9 }, () => 0) };
    const unpad = { x: 14, y: 0, width: 68, height: 96 };
    const limited = { width: 53, height: 76 };
    assemble(anyresPlan(grid, 1152, { kind: 'anyres', map, unpad, limited }), [view!], 'float16');
    withKernel(0, ({ memory }) => assert.ok(memory.buffer.byteLength < 2 ** 21));
  });
});
