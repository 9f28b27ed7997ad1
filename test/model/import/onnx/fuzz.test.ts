import assert from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../../src/errors/service-error.ts';
import { readExportWeights } from '../../../../src/model/import/onnx/export-weights.ts';
import { fixture, temporaryFolder } from '../fixtures.ts';
import { copyOfExport, importExport } from './test-exports.ts';

const original = await readFile(fixture('exports/siglip-tiny/onnx/dynamo.onnx'));

/** Changes of a file at a place given as a fraction of its length. Flipped bits mostly leave it a protobuf message. */
const changes = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    kind: fc.constantFrom('flip', 'flip', 'flip', 'overwrite', 'remove', 'double', 'cut'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  }),
  { minLength: 1, maxLength: 4 },
);
type Changes = typeof changes extends fc.Arbitrary<infer T> ? T : never;

function changed(file: Uint8Array, list: Changes): Uint8Array {
  let bytes = Buffer.from(file);
  for (const { at, kind, bytes: noise } of list) {
    const start = Math.floor(at * bytes.byteLength);
    const end = Math.min(bytes.byteLength, start + noise.byteLength);
    const [before, own, after] = [bytes.subarray(0, start), bytes.subarray(start, end), bytes.subarray(end)];
    if (kind === 'flip') bytes[start]! ^= 1 << (noise[0]! & 7);
    if (kind === 'overwrite') bytes = Buffer.concat([before, noise.subarray(0, own.byteLength), after]);
    if (kind === 'remove') bytes = Buffer.concat([before, after]);
    if (kind === 'double') bytes = Buffer.concat([before, own, own, after]);
    if (kind === 'cut' && at > 0.5) bytes = before;
  }
  return bytes;
}

test('reading the weights of a damaged export, or of any bytes, gives an answer or one line', async (t) => {
  const path = join(await temporaryFolder(t), 'x.onnx');
  let refused = 0;
  const bytes = fc.oneof(
    changes.map((list) => changed(original, list)),
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
    fc.asyncProperty(changes, async (list) => {
      await writeFile(source, changed(original, list));
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
