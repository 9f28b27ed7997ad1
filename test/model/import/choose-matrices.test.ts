import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chooseMatrices } from '../../../src/model/import/choose-matrices.ts';

const errors = fc
  .uniqueArray(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 200 })
  .map((values) => new Map(values.map((value, i) => [`m${i}`, value])));

/** As if each matrix took its error from the cosine. */
function cosineOf(all: ReadonlyMap<string, number>, float32: ReadonlySet<string>): number {
  return 1 - [...all].reduce((sum, [name, error]) => sum + (float32.has(name) ? 0 : error), 0) / all.size;
}

describe('the choice of matrices', () => {
  it('keeps the fewest of the worst that reach the cosine, and tells the cosine it measured', async () => {
    await fc.assert(
      fc.asyncProperty(errors, fc.double({ min: 0, max: 1, noNaN: true }), async (all, minCosine) => {
        let measured = 0;
        const { float32, cosine } = await chooseMatrices(all, minCosine, (kept) => {
          measured += 1;
          return Promise.resolve(cosineOf(all, kept));
        });
        const worstFirst = [...all.keys()].toSorted((a, b) => all.get(b)! - all.get(a)!);
        assert.deepEqual(float32, worstFirst.slice(0, float32.length));
        assert.ok(cosine >= minCosine);
        assert.ok(Math.abs(cosine - cosineOf(all, new Set(float32))) < 1e-12);
        if (float32.length > 0) assert.ok(cosineOf(all, new Set(float32.slice(0, -1))) < minCosine);
        assert.ok(measured <= 1 + Math.ceil(Math.log2(all.size)), `${measured} measurements`);
      }),
    );
  });

  it('measures once when every matrix can be int8', async () => {
    let measured = 0;
    const choice = await chooseMatrices(new Map([['a', 0.5]]), 0.99, () =>
      Promise.resolve(1 - 0.001 * ++measured),
    );
    assert.deepEqual([choice, measured], [{ float32: [], cosine: 0.999 }, 1]);
  });

  it('takes a cosine that is not a number as too low, and an error that is not one as the worst', async () => {
    const all = new Map([
      ['fine', 0.1],
      ['nan', Number.NaN],
      ['infinite', Infinity],
    ]);
    const choice = await chooseMatrices(all, 0.5, (kept) =>
      Promise.resolve(kept.has('nan') && kept.has('infinite') ? 0.9 : Number.NaN),
    );
    assert.deepEqual(choice, { float32: ['nan', 'infinite'], cosine: 0.9 });
  });
});
