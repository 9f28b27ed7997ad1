import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ensureEmbeddedModel } from '../../../src/model/import/embedded-models.ts';
import { embeddedNames } from '../../../src/model/model.ts';
import { fixture, temporaryFolder } from './fixtures.ts';

const run = promisify(execFile);
const moduleUrl = new URL('../../../src/model/import/embedded-models.js', import.meta.url).href;
const tiny = fixture('siglip-tiny');
const modelFiles = ['encoder.onnx', 'encoder.onnx_data', 'model.json'];
const advice = 'Set --cache-dir to a folder that can be written, or give --model.';

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
    const { folder, digest } = await ensureEmbeddedModel('nano-hd', cache, tiny);
    const manifest = join(folder, 'model.json');
    const { ino } = await stat(manifest);
    await ensureEmbeddedModel('nano-hd', cache, tiny);
    assert.equal((await stat(manifest)).ino, ino, 'no file was written again');
    await truncate(join(folder, 'encoder.onnx_data'), 100);
    assert.equal((await ensureEmbeddedModel('nano-hd', cache, tiny)).digest, digest);
    await writeFile(manifest, '{');
    assert.equal((await ensureEmbeddedModel('nano-hd', cache, tiny)).digest, digest);
    await rm(manifest);
    assert.equal((await ensureEmbeddedModel('nano-hd', cache, tiny)).digest, digest);
    assert.deepEqual(await readdir(cache), [basename(folder)]);
    assert.deepEqual((await readdir(folder)).toSorted(), modelFiles);
  });

  it('is left as it is when the system refuses to read it', async (t) => {
    const cache = await temporaryFolder(t);
    const { folder } = await ensureEmbeddedModel('nano-hd', cache, tiny);
    for (const name of modelFiles) {
      await rename(join(folder, name), join(folder, 'kept'));
      await symlink(name, join(folder, name));
      await assert.rejects(ensureEmbeddedModel('nano-hd', cache, tiny), {
        message: `The embedded model nano-hd cannot be read in ${cache}: too many symbolic links encountered. ${advice}`,
      });
      assert.ok((await lstat(join(folder, name))).isSymbolicLink());
      await rename(join(folder, 'kept'), join(folder, name));
    }
  });

  it('misses no file at any time while starts that found it damaged make it again', async (t) => {
    const cache = await temporaryFolder(t);
    const { folder, digest } = await ensureEmbeddedModel('nano-hd', cache, tiny);
    const { ino } = await stat(folder);
    const whole = join(folder, 'encoder.onnx');
    await truncate(join(folder, 'encoder.onnx_data'), 100);
    const starts = Promise.all(Array.from({ length: 4 }, () => ensureEmbeddedModel('nano-hd', cache, tiny)));
    const finished = new AbortController();
    const done = starts.finally(() => finished.abort());
    while (!finished.signal.aborted) {
      assert.ok(existsSync(whole));
      await setImmediate();
    }
    assert.deepEqual(
      (await done).map((model) => model.digest),
      [digest, digest, digest, digest],
    );
    assert.equal((await stat(folder)).ino, ino, 'it is the folder that others may have opened');
    assert.deepEqual((await readdir(folder)).toSorted(), modelFiles);
  });

  it('is rid of what a killed start left, and not of what another start is writing', async (t) => {
    const cache = await temporaryFolder(t);
    const { folder } = await ensureEmbeddedModel('nano-hd', cache, tiny);
    for (const [name, ageMs] of [
      ['.import-1-killed', 3_600_000],
      ['.import-2-working', 60_000],
    ] as const) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'encoder.onnx_data'), 'part');
      const at = (Date.now() - ageMs) / 1000;
      await utimes(join(folder, name), at, at);
    }
    await ensureEmbeddedModel('nano-hd', cache, tiny);
    assert.deepEqual((await readdir(folder)).toSorted(), ['.import-2-working', ...modelFiles]);
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
    assert.equal(
      stdout,
      `The embedded model nano-hd cannot be made in ${cache}: file too large. ${advice}\n`,
    );
    assert.deepEqual(await readdir(cache), [basename(folder)]);
    assert.deepEqual((await readdir(folder)).toSorted(), ['encoder.onnx', 'encoder.onnx_data']);
  });

  for (const isDamaged of [false, true]) {
    const state = isDamaged ? 'a damaged folder' : 'an empty cache';
    it(`is given from one folder to all processes that start together on ${state}`, async (t) => {
      const cache = join(await temporaryFolder(t), 'cache');
      if (isDamaged) {
        const made = await ensureEmbeddedModel('nano-hd', cache);
        await truncate(join(made.folder, 'encoder.onnx_data'), 100);
      }
      const script = `
        const { ensureEmbeddedModel } = await import(${JSON.stringify(moduleUrl)});
        console.log((await ensureEmbeddedModel('nano-hd', ${JSON.stringify(cache)})).digest);`;
      const starts = Array.from({ length: 4 }, () =>
        run(process.execPath, ['--input-type=module', '-e', script]),
      );
      const digests = (await Promise.all(starts)).map(({ stdout }) => stdout.trim());
      const { folder, digest } = await ensureEmbeddedModel('nano-hd', cache);
      assert.deepEqual(digests, [digest, digest, digest, digest]);
      assert.deepEqual(await readdir(cache), [basename(folder)]);
      assert.deepEqual((await readdir(folder)).toSorted(), modelFiles);
    });
  }

  it('says where it cannot be made, why, and what to do', async (t) => {
    const file = join(await temporaryFolder(t), 'file');
    await writeFile(file, '');
    for (const [cache, reason] of [
      ['/proc/nope', 'no such file or directory'],
      [join(file, 'cache'), 'not a directory'],
      [file, 'not a directory'],
    ] as const) {
      await assert.rejects(ensureEmbeddedModel('nano-hd', cache), {
        code: 'invalid_argument',
        message: `The embedded model nano-hd cannot be made in ${cache}: ${reason}. ${advice}`,
      });
    }
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
