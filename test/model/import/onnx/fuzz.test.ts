import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../../src/errors/service-error.ts';
import { importModel } from '../../../../src/model/import/import-model.ts';
import { readExport } from '../../../../src/model/import/onnx/read-export.ts';
import { WireFile } from '../../../../src/model/import/onnx/wire-file.ts';
import { temporaryFolder } from '../fixtures.ts';
import { testExport, writeTestExport } from './write-test-export.ts';

/** Changes of a file: bytes overwritten, taken out or doubled, from a place given as a fraction of its length. */
const mutations = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    kind: fc.constantFrom('overwrite', 'remove', 'double', 'cut'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  }),
  { minLength: 1, maxLength: 6 },
);
type Mutations = typeof mutations extends fc.Arbitrary<infer T> ? T : never;

function mutated(file: Uint8Array, changes: Mutations): Uint8Array {
  let bytes = Buffer.from(file);
  for (const { at, kind, bytes: noise } of changes) {
    const start = Math.floor(at * bytes.byteLength);
    const end = Math.min(bytes.byteLength, start + noise.byteLength);
    const [before, own, after] = [bytes.subarray(0, start), bytes.subarray(start, end), bytes.subarray(end)];
    if (kind === 'overwrite') bytes = Buffer.concat([before, noise.subarray(0, own.byteLength), after]);
    if (kind === 'remove') bytes = Buffer.concat([before, after]);
    if (kind === 'double') bytes = Buffer.concat([before, own, own, after]);
    if (kind === 'cut' && at > 0.5) bytes = before;
  }
  return bytes;
}

function requireRefusal(error: unknown): void {
  assert.ok(error instanceof ServiceError, String(error));
  assert.equal(error.code, 'invalid_argument');
  assert.doesNotMatch(error.message, /[\n\0]/);
}

test('the reader takes or refuses any damaged export', async () => {
  const { model } = await testExport({ storage: 'external' });
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(mutations, async (changes) => {
      try {
        await readExport(WireFile.of(mutated(model, changes), 'x.onnx'));
      } catch (error) {
        requireRefusal(error);
        refused += 1;
      }
    }),
    { numRuns: 400, seed: 7 },
  );
  assert.ok(refused > 50, `${refused}`);
});

test('the reader takes or refuses any bytes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
      await assert.rejects(readExport(WireFile.of(bytes, 'x.onnx')), (error) => {
        requireRefusal(error);
        return true;
      });
    }),
    { numRuns: 400, seed: 7 },
  );
});

test('an import of a damaged export makes a model folder or nothing', async (t) => {
  const folder = await temporaryFolder(t);
  const source = await writeTestExport(folder, { storage: 'external' });
  const { model } = await testExport({ storage: 'external' });
  const before = await readdir(folder);
  await fc.assert(
    fc.asyncProperty(mutations, async (changes) => {
      await writeFile(source, mutated(model, changes));
      const out = join(folder, 'out');
      try {
        await importModel({ source, out, features: 'last_hidden_state', precision: 'fp32', force: true });
      } catch (error) {
        requireRefusal(error);
      }
      const left = (await readdir(folder)).filter((name) => name !== 'out');
      assert.deepEqual(left, before);
    }),
    { numRuns: 80, seed: 7 },
  );
});
