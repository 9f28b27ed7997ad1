import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ensureDefaultModel } from '../../../src/model/import/default-model.ts';
import { temporaryFolder } from './fixtures.ts';
import { runGraph } from './run-graph.ts';

const run = promisify(execFile);
const moduleUrl = new URL('../../../src/model/import/default-model.js', import.meta.url).href;

describe('embedded default model', () => {
  it('says that it is untrained, and gives 1,024 finite tokens of 64 channels', async (t) => {
    const model = await ensureDefaultModel(await temporaryFolder(t));
    assert.equal(model.name, 'untrained');
    assert.equal(model.trained, false);
    assert.equal(model.imageSize, 512);
    const view = Uint8Array.from({ length: 512 * 512 * 3 }, (_, i) => (i * 7919) >> 5);
    const tokens = await runGraph(model.folder, [view]);
    assert.deepEqual(tokens.shape, [1, 1024, 64]);
    assert.deepEqual(tokens.finite, [true]);
  });

  it('is the same wherever it is made', async (t) => {
    const [first, second] = [
      await ensureDefaultModel(await temporaryFolder(t)),
      await ensureDefaultModel(await temporaryFolder(t)),
    ];
    assert.equal(first.digest, second.digest);
  });

  it('is made again when it was damaged, and not when it was not', async (t) => {
    const cache = await temporaryFolder(t);
    const model = await ensureDefaultModel(cache);
    await writeFile(join(model.folder, 'mark'), '');
    await ensureDefaultModel(cache);
    assert.ok((await readdir(model.folder)).includes('mark'));
    await truncate(join(model.folder, 'encoder.onnx_data'), 100);
    assert.equal((await ensureDefaultModel(cache)).digest, model.digest);
    assert.ok(!(await readdir(model.folder)).includes('mark'));
    await rm(join(model.folder, 'model.json'));
    assert.equal((await ensureDefaultModel(cache)).digest, model.digest);
    assert.deepEqual(await readdir(cache), [basename(model.folder)]);
  });

  it('says why it cannot be made again, and leaves the damaged one', async (t) => {
    const cache = await temporaryFolder(t);
    const { folder } = await ensureDefaultModel(cache);
    await rm(join(folder, 'model.json'));
    const script = `
      const { ensureDefaultModel } = await import(${JSON.stringify(moduleUrl)});
      await ensureDefaultModel(${JSON.stringify(cache)}).catch(({ message }) => console.log(message));`;
    // No file may grow beyond 16 KiB, as on a disk that is full.
    const small = 'trap "" XFSZ; ulimit -f 32; exec "$0" --input-type=module -e "$1"';
    const { stdout } = await run('sh', ['-c', small, process.execPath, script]);
    assert.match(stdout, /^The default model cannot be made in .*: file too large\.$/m);
    assert.deepEqual(await readdir(cache), [basename(folder)]);
  });

  it('is made once by processes that start together', async (t) => {
    const cache = join(await temporaryFolder(t), 'cache');
    const script = `
      const { ensureDefaultModel } = await import(${JSON.stringify(moduleUrl)});
      console.log((await ensureDefaultModel(${JSON.stringify(cache)})).digest);`;
    const starts = Array.from({ length: 4 }, () =>
      run(process.execPath, ['--input-type=module', '-e', script]),
    );
    const digests = (await Promise.all(starts)).map(({ stdout }) => stdout.trim());
    assert.equal(new Set(digests).size, 1);
    assert.equal((await readdir(cache)).length, 1);
  });

  it('says where it cannot be made', async (t) => {
    const file = join(await temporaryFolder(t), 'file');
    await writeFile(file, '');
    await assert.rejects(ensureDefaultModel(join(file, 'cache')), {
      code: 'invalid_argument',
      message: /is a file, or lies below one\.$/,
    });
  });
});
