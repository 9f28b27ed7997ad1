import assert from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../../src/errors/service-error.ts';
import { readExportWeights } from '../../../../src/model/import/onnx/export-weights.ts';
import { mutated, mutationsOf } from '../../../support/fuzzing.ts';
import { fixture, temporaryFolder } from '../fixtures.ts';
import { copyOfExport, importExport } from './test-exports.ts';

/** Mostly flipped bits, which mostly leave a message of protobuf one, so that its content is read. */
const mutations = mutationsOf(['flip', 'flip', 'flip', 'overwrite', 'remove', 'double', 'cut'], 4);

const original = await readFile(fixture('exports/siglip-tiny/onnx/dynamo.onnx'));

test('reading the weights of a damaged export, or of any bytes, gives an answer or one line', async (t) => {
  const path = join(await temporaryFolder(t), 'x.onnx');
  let refused = 0;
  const bytes = fc.oneof(
    mutations.map((changes) => mutated(original, changes)),
    fc.uint8Array({ maxLength: 400 }),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (file) => {
      await writeFile(path, file);
      try {
        await readExportWeights(path);
      } catch (error) {
        refused += 1;
        assert.match((error as Error).message, /^is not an ONNX file/);
      }
    }),
    { numRuns: 400, seed: 7 },
  );
  assert.ok(refused > 50, `${refused}`);
});

test('an import of a damaged export makes a model folder, or refuses in one line and leaves nothing', async (t) => {
  const folder = await temporaryFolder(t);
  const source = await copyOfExport(folder, 'dynamo.onnx');
  const before = await readdir(folder);
  await fc.assert(
    fc.asyncProperty(mutations, async (changes) => {
      await writeFile(source, mutated(original, changes));
      try {
        await importExport(source, join(folder, 'out'), { force: true });
      } catch (error) {
        assert.ok(error instanceof ServiceError, String(error));
        assert.equal(error.code, 'invalid_argument');
        assert.doesNotMatch(error.message, /\p{Cc}/u);
      }
      assert.deepEqual(
        (await readdir(folder)).filter((name) => name !== 'out'),
        before,
      );
    }),
    { numRuns: 24, seed: 7 },
  );
});
