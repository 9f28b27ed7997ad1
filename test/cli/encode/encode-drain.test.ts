// `encode --url` against two services behind a real nginx with the configuration that is shipped, one of them drained in the
// middle.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { externalTest, runProgram } from '../../support/external.ts';
import { configureNginx, listens, missingNginx } from '../../support/nginx.ts';
import { freePort, ServiceProcess } from '../../support/service-process.ts';
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
    const ports = await Promise.all(
      [0, 1].map(async () => ({ http: await freePort(), grpc: await freePort() })),
    );
    const services = ports.map((each) => new ServiceProcess(args, each));
    t.after(() => services.forEach((service) => service.kill()));
    await Promise.all(services.map((service) => service.start()));
    const [http, grpc] = [await freePort(), await freePort()];
    const folder = join(scratch.path, 'nginx');
    const configuration = configureNginx(
      folder,
      new Map([
        ['listen 8080', http],
        ['listen 50051', grpc],
        ['127.0.0.1:18081', ports[0]!.http],
        ['127.0.0.1:18082', ports[1]!.http],
        ['127.0.0.1:15051', ports[0]!.grpc],
        ['127.0.0.1:15052', ports[1]!.grpc],
      ]),
    );
    const nginx = spawn('nginx', ['-c', configuration], { stdio: 'inherit' });
    t.after(() => nginx.kill('SIGTERM'));
    await listens(http);

    const out = join(scratch.path, 'out');
    const urls = ['--url', `http://127.0.0.1:${http}`, '--url-requests', '8'];
    const running = runProgram('node', ['bin/siglip-hd.cjs', 'encode', pictures, '--out', out, ...urls]);
    const answered = () => readFileSync(join(folder, 'access.log'), 'utf8').split('\n').length;
    await until(() => answered() > count / 4);
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
