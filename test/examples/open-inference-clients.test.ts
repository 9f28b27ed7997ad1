// The clients that others wrote for the Open Inference Protocol, where they are installed: PYTHON names an interpreter that has them.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { pino } from 'pino';
import { startService } from '../../src/service.ts';
import { externalTest, runProgram } from '../support/external.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';

const scratch = scratchFolder();
after(() => scratch.remove());
const python = process.env.PYTHON ?? 'python3';

const clients = [
  { module: 'tritonclient.grpc.aio', script: 'client.py', ways: 5 },
  { module: 'kserve', script: 'kserve_client.py', ways: 2 },
] as const;

for (const { module, script, ways } of clients) {
  const missing = async (): Promise<string | undefined> =>
    (await runProgram(python, ['-c', `import ${module}`])).exitCode === 0
      ? undefined
      : `${python} has no ${module}`;

  externalTest(`${script} gets the tokens of /v1/encode over HTTP and gRPC`, missing, async (t) => {
    const models = [{ name: 'tiny', folder: await importFixture(scratch.path, 'siglip-tiny') }];
    const service = await startService(serviceConfig({ models }), pino({ level: 'silent' }), () => {});
    t.after(() => service.close());
    const args = [`examples/open-inference/${script}`, 'test/fixtures/images/rocket.jpg', 'tiny'];
    const { exitCode, stdout, stderr } = await runProgram(python, args, {
      SIGLIP_HD_URL: `http://127.0.0.1:${service.httpPort}`,
      SIGLIP_HD_GRPC: `127.0.0.1:${service.grpcPort}`,
    });
    assert.equal(exitCode, 0, stderr);
    assert.equal(stdout.trimEnd().split('\n').length, ways, stdout);
  });
}
