// The clients that others wrote for the Open Inference Protocol, where they are installed: PYTHON and KSERVE_PYTHON name interpreters that have them.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { startService } from '../../src/service.ts';
import { externalTest, runProgram } from '../support/external.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';

const python = process.env.PYTHON ?? 'python3';
const kservePython = process.env.KSERVE_PYTHON;

async function getsTheTokens(
  t: TestContext,
  interpreter: string,
  script: string,
  ways: number,
): Promise<void> {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const models = [{ name: 'tiny', folder: await importFixture(scratch.path, 'siglip-tiny') }];
  const service = await startService(serviceConfig({ models }), pino({ level: 'silent' }), () => {});
  t.after(() => service.close());
  const args = [`examples/open-inference/${script}`, 'test/fixtures/images/rocket.jpg', 'tiny'];
  const { exitCode, stdout, stderr } = await runProgram(interpreter, args, {
    SIGLIPHD_URL: `http://127.0.0.1:${service.httpPort}`,
    SIGLIPHD_GRPC: `127.0.0.1:${service.grpcPort}`,
  });
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout.trimEnd().split('\n').length, ways, stdout);
}

const missingTriton = async (): Promise<string | undefined> =>
  (await runProgram(python, ['-c', 'import tritonclient.grpc.aio'])).exitCode === 0
    ? undefined
    : `${python} has no tritonclient`;

externalTest('tritonclient gets the tokens of /v1/encode in each of its ways', missingTriton, (t) =>
  getsTheTokens(t, python, 'client.py', 5),
);

// KServe's package brings 400 MB, so CI runs without.
const skip = kservePython === undefined && 'KSERVE_PYTHON names no Python that has kserve';

test("KServe's client gets the tokens of /v1/encode over HTTP and gRPC", { skip }, (t) =>
  getsTheTokens(t, kservePython ?? '', 'kserve_client.py', 2),
);
