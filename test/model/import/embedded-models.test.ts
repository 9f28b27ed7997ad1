import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ensureEmbeddedModel } from '../../../src/model/import/embedded-models.ts';
import { embeddedNames } from '../../../src/model/model.ts';
import { fixture, temporaryFolder } from './fixtures.ts';

const run = promisify(execFile);
const moduleUrl = new URL('../../../src/model/import/embedded-models.js', import.meta.url).href;
const tiny = fixture('siglip-tiny');

describe('an embedded model', () => {
  it('is trained, and has the shape of SigLIP-HD: 1,024 tokens of a view of 512 px', async (t) => {
    const cache = await temporaryFolder(t);
    const shapes = new Set<string>();
    for (const name of embeddedNames) {
      const model = await ensureEmbeddedModel(name, cache);
      assert.equal(model.name, name);
      assert.equal(model.trained, true);
      assert.equal(model.resize, 'squash');
      assert.deepEqual([model.imageSize, model.grid], [512, { width: 32, height: 32 }]);
      shapes.add(`${model.channels} channels`);
    }
    assert.equal(shapes.size, 1, 'the teacher fits the student');
  });

  it('is the same wherever it is made', async (t) => {
    const [first, second] = [
      await ensureEmbeddedModel('nano-hd', await temporaryFolder(t)),
      await ensureEmbeddedModel('nano-hd', await temporaryFolder(t)),
    ];
    assert.equal(first.digest, second.digest);
    assert.equal(basename(first.folder), basename(second.folder));
  });

  it('has another folder when its weights are others, and the former one stays', async (t) => {
    const cache = await temporaryFolder(t);
    const changed = await temporaryFolder(t);
    await cp(tiny, changed, { recursive: true });
    const weights = await readFile(join(changed, 'model.safetensors'));
    weights[weights.byteLength - 2]! ^= 1;
    await writeFile(join(changed, 'model.safetensors'), weights);
    const former = await ensureEmbeddedModel('nano-hd', cache, tiny);
    const present = await ensureEmbeddedModel('nano-hd', cache, changed);
    assert.notEqual(present.digest, former.digest);
    assert.deepEqual(
      (await readdir(cache)).toSorted(),
      [former, present].map(({ folder }) => basename(folder)).toSorted(),
    );
  });

  it('is made again when it was damaged, and not when it was not', async (t) => {
    const cache = await temporaryFolder(t);
    const model = await ensureEmbeddedModel('nano-hd', cache, tiny);
    await writeFile(join(model.folder, 'mark'), '');
    await ensureEmbeddedModel('nano-hd', cache, tiny);
    assert.ok((await readdir(model.folder)).includes('mark'));
    await truncate(join(model.folder, 'encoder.onnx_data'), 100);
    assert.equal((await ensureEmbeddedModel('nano-hd', cache, tiny)).digest, model.digest);
    assert.ok(!(await readdir(model.folder)).includes('mark'));
    await rm(join(model.folder, 'model.json'));
    assert.equal((await ensureEmbeddedModel('nano-hd', cache, tiny)).digest, model.digest);
    assert.deepEqual(await readdir(cache), [basename(model.folder)]);
  });

  it('says why it cannot be made again, and leaves the damaged one', async (t) => {
    const cache = await temporaryFolder(t);
    const { folder } = await ensureEmbeddedModel('nano-hd', cache);
    await rm(join(folder, 'model.json'));
    const script = `
      const { ensureEmbeddedModel } = await import(${JSON.stringify(moduleUrl)});
      await ensureEmbeddedModel('nano-hd', ${JSON.stringify(cache)}).catch(({ message }) => console.log(message));`;
    // No file may grow beyond 16 KiB, as on a disk that is full.
    const small = 'trap "" XFSZ; ulimit -f 32; exec "$0" --input-type=module -e "$1"';
    const { stdout } = await run('sh', ['-c', small, process.execPath, script]);
    assert.match(stdout, /^The embedded model nano-hd cannot be made in .*: file too large\.$/m);
    assert.deepEqual(await readdir(cache), [basename(folder)]);
  });

  it('is made once by processes that start together', async (t) => {
    const cache = join(await temporaryFolder(t), 'cache');
    const script = `
      const { ensureEmbeddedModel } = await import(${JSON.stringify(moduleUrl)});
      console.log((await ensureEmbeddedModel('nano-hd', ${JSON.stringify(cache)})).digest);`;
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
    await assert.rejects(ensureEmbeddedModel('nano-hd', join(file, 'cache')), {
      code: 'invalid_argument',
      message: /is a file, or lies below one\.$/,
    });
  });

  it('says which file of the package is missing', async (t) => {
    const checkpoint = await temporaryFolder(t);
    await cp(tiny, checkpoint, { recursive: true });
    await rm(join(checkpoint, 'model.safetensors'));
    await assert.rejects(ensureEmbeddedModel('nano-hd', await temporaryFolder(t), checkpoint), {
      code: 'unavailable',
      message: `${checkpoint}/model.safetensors, of an embedded model, cannot be read: no such file or directory; install the package again.`,
    });
  });
});
