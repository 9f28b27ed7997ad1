import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../src/errors/service-error.ts';
import { decode } from '../../src/image/decode.ts';
import { decodedSize, readHeader } from '../../src/image/read-header.ts';
import { fuzzRuns } from '../support/fuzzing.ts';
import { oddFiles } from './odd-files.ts';

for (const [format, files] of Object.entries(oddFiles)) {
  test(`whatever a ${format} notes of its orientation, it is decoded in the size of its header, or refused`, async () => {
    await fc.assert(
      fc.asyncProperty(files, async (file) => {
        try {
          const size = decodedSize(await readHeader(file), 'apply');
          assert.ok(['2 x 3', '3 x 2'].includes(`${size.width} x ${size.height}`));
          const { width, height } = await decode(file, { exif: 'apply', maxPixels: 100 });
          assert.deepEqual(size, { width, height });
        } catch (error) {
          assert.ok(error instanceof ServiceError, String(error));
          assert.equal(error.code, 'invalid_argument');
        }
      }),
      { numRuns: fuzzRuns(1000) },
    );
  });
}
