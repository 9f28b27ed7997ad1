import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireOneByOne } from '../../../support/served-alone.ts';
import { fixture, temporaryFolder } from '../fixtures.ts';
import { importExport } from './test-exports.ts';

test('gives a view of an export that quantises while it runs the same tokens whatever is beside it', async (t) => {
  const source = fixture('exports/siglip-tiny/onnx/vision_model_int8.onnx');
  const model = await importExport(source, join(await temporaryFolder(t), 'out'));
  assert.equal(model.precision, 'exported');
  await requireOneByOne(model);
});
