// `encode --url` against two services behind a real nginx with the configuration that is shipped, one of them drained in the
// middle.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { externalTest, runProgram } from '../../support/external.ts';
import { missingNginx, startBehindNginx } from '../../support/nginx.ts';
import { importFixture, scratchFolder } from '../../support/tiny-models.ts';
import { until } from '../../support/until.ts';
import { manifestOf } from './encode-stub.ts';

const scratch = scratchFolder();
after(() => scratch.remove());
const count = 300;

externalTest(
  'encodes every picture once while one of two services behind nginx is drained in the middle',
  missingNginx,
  async (t) => {
    const model = await importFixture(scratch.path, 'siglip-tiny');
    const pictures = join(scratch.path, 'pictures');
    await mkdir(pictures);
    const files = Array.from({ length: count }, (_, index) => join(pictures, `${index}.jpg`));
    await Promise.all(files.map(async (file) => copyFile('test/fixtures/images/rocket.jpg', file)));

    const args = ['--model', model, '--drain-delay-ms=200', '--warm-up-ms=100'];
    const folder = join(scratch.path, 'nginx');
    const { services, http } = await startBehindNginx(t, folder, args);

    const out = join(scratch.path, 'out');
    const urls = ['--url', `http://127.0.0.1:${http}`, '--url-requests', '8'];
    const running = runProgram('node', ['bin/siglip-hd.cjs', 'encode', pictures, '--out', out, ...urls]);
    const answered = () => readFileSync(join(folder, 'access.log'), 'utf8').split('\n').length;
    let ended: string | undefined;
    void running.then(({ stderr }) => (ended = stderr));
    await until(() => answered() > count / 4 || ended !== undefined);
    assert.equal(ended, undefined, 'no run ends before the drain');
    assert.equal(await services[0]!.stop(), 0);
    const drainedAt = answered();
    const { exitCode, stdout, stderr } = await running;

    assert.deepEqual([exitCode, stderr.split('\n').filter((line) => / failed|:.*:/.test(line))], [0, []]);
    assert.match(stdout, new RegExp(`: ${count} images encoded, `));
    assert.ok(drainedAt < count, `${drainedAt} were answered when the service was drained`);
    const lines = await manifestOf(out);
    assert.deepEqual(lines.map(({ file }) => file).toSorted(), files.toSorted());
    for (const { output, output_bytes: sizeBytes } of lines) {
      assert.equal((await stat(join(out, output!))).size, sizeBytes);
    }
  },
);
