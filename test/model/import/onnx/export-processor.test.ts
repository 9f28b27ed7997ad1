import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../fixtures.ts';
import { copyOfExport, importExport } from './test-exports.ts';

describe('an ONNX export with the files of its repository', () => {
  it('imports with the image processor that transformers 5 nests in processor_config.json', async (t) => {
    const folder = await temporaryFolder(t);
    const source = await copyOfExport(join(folder, 'export'), 'vision_model.onnx');
    const alone = await importExport(source, join(folder, 'alone'));
    const file = join(folder, 'export', 'preprocessor_config.json');
    const processor = JSON.parse(await readFile(file, 'utf8')) as object;
    await rm(file);
    const nested = JSON.stringify({ image_processor: processor });
    await writeFile(join(folder, 'export', 'processor_config.json'), nested);
    assert.equal((await importExport(source, join(folder, 'nested'))).digest, alone.digest);
  });

  it('is refused when its image processor makes views of another size', async (t) => {
    const folder = await temporaryFolder(t);
    const source = await copyOfExport(join(folder, 'export'), 'vision_model.onnx');
    await writeFile(
      join(folder, 'export', 'preprocessor_config.json'),
      '{"size":{"height":384,"width":384}}',
    );
    await assert.rejects(importExport(source, join(folder, 'out')), {
      code: 'invalid_argument',
      message:
        /^vision_model\.onnx is for 512 px, and its image processor makes views of 384 px; import the checkpoint/,
    });
  });
});
