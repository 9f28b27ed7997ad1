import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ServiceError } from '../../src/errors/service-error.ts';
import { planAnyres, anyresDefaults } from '../../src/recipes/anyres.ts';
import { planEncode } from '../../src/recipes/encode.ts';
import { assemble } from '../../src/tokens/assembly/assemble.ts';
import { TokenPool } from '../../src/tokens/token-pool.ts';
import { model } from '../recipes/model.ts';

const viewValues = model.grid.width * model.grid.height * model.channels;

function poolOf(context: TestContext): TokenPool {
  const pool = new TokenPool(1);
  context.after(() => pool.close());
  return pool;
}

function views(count: number): Uint8Array<ArrayBuffer>[] {
  return Array.from({ length: count }, (_, view) => {
    const values = Float32Array.from({ length: viewValues }, (__, i) => Math.sin(i + view * 1000));
    return new Uint8Array(values.buffer);
  });
}

describe('the token pool', () => {
  test('assembles on its thread, takes over the views and returns an answer that owns its buffer', async (t) => {
    const pool = poolOf(t);
    const plan = planAnyres({ width: 640, height: 427 }, model, anyresDefaults);
    for (const dtype of ['float16', 'float32', 'bfloat16'] as const) {
      const expected = assemble(plan, views(3), dtype);
      const given = views(3);
      const answer = await pool.assemble(plan, given, dtype);
      assert.deepEqual(answer, expected);
      assert.equal(answer.buffer.byteLength, answer.byteLength);
      assert.deepEqual(
        given.map(({ byteLength }) => byteLength),
        [0, 0, 0],
      );
    }
  });

  test('rejects with internal when the answer is not finite, and serves the next one', async (t) => {
    const pool = poolOf(t);
    const plan = planEncode({ width: 10, height: 10 }, model);
    const [large] = views(1);
    new DataView(large!.buffer).setFloat32(400, 1e9, true);
    const refused = pool.assemble(plan, [large!], 'float16');
    await assert.rejects(refused, (error) => error instanceof ServiceError && error.code === 'internal');
    await assert.rejects(refused, /not finite/);
    assert.equal((await pool.assemble(plan, views(1), 'float16')).byteLength, viewValues * 2);
  });

  test('rejects with internal, and keeps the cause, for views that do not fit the plan', async (t) => {
    const pool = poolOf(t);
    const plan = planEncode({ width: 10, height: 10 }, model);
    await assert.rejects(pool.assemble(plan, [new Uint8Array(8)], 'float16'), (error) => {
      assert.ok(error instanceof ServiceError && error.cause instanceof Error);
      assert.equal(error.code, 'internal');
      assert.match(error.cause.message, /view 0 has 8 bytes; the plan needs/);
      return true;
    });
  });

  test('cuts a batch into pieces that do not keep it in memory', async (t) => {
    const pool = poolOf(t);
    const batch = new Uint8Array([1, 2, 3, 4, 5, 6]);
    const pieces = await pool.split(batch, 3);
    assert.deepEqual(
      pieces.map((piece) => [...piece]),
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    );
    assert.ok(pieces.every(({ buffer }) => buffer.byteLength === 2));
    assert.equal(batch.byteLength, 0);
  });

  test('rounds to bfloat16', async (t) => {
    const pool = poolOf(t);
    const bytes = await pool.bfloat16(new Uint8Array(Float32Array.of(1, -2).buffer));
    assert.deepEqual([...new Uint16Array(bytes.buffer)], [0x3f80, 0xc000]);
  });
});
