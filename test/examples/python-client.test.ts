import assert from 'node:assert/strict';
import { externalTest, runProgram } from '../support/external.ts';
import { grpcAddress } from '../support/grpc-stand-in.ts';

const example = 'examples/python-client/client.py';
const image = 'test/fixtures/images/rocket.jpg';

// The client is taken from its sources; what it imports has to be there.
const candidates = process.env.PYTHON === undefined ? ['python3', '/usr/bin/python3'] : [process.env.PYTHON];
const sources = { PYTHONPATH: 'clients/python/src', PYTHONDONTWRITEBYTECODE: '1' };

async function python(): Promise<string | undefined> {
  for (const candidate of candidates) {
    const { exitCode } = await runProgram(
      candidate,
      ['-c', 'from siglip_hd_client import grpc_transport'],
      sources,
    );
    if (exitCode === 0) return candidate;
  }
  return undefined;
}

const missing = async (): Promise<string | undefined> =>
  (await python()) === undefined
    ? `no httpx, numpy, grpcio and protobuf in ${candidates.join(' or ')}`
    : undefined;

externalTest('the Python client prints the shape, the model and the timings', missing, async (t) => {
  const { exitCode, stdout, stderr } = await runProgram((await python())!, [example, image], {
    ...sources,
    SIGLIPHD_URL: `grpc://${await grpcAddress(t)}`,
  });
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /rocket\.jpg: shape \(\d+, \d+\), float16, from \S+$/m);
  assert.match(stdout, /queue [\d.]+ ms, engine [\d.]+ ms; (hit|joined|miss|None)$/m);
});

externalTest('the Python client names each image that fails', missing, async (t) => {
  const { exitCode, stdout, stderr } = await runProgram((await python())!, [example, 'missing.jpg', image], {
    ...sources,
    SIGLIPHD_URL: `grpc://${await grpcAddress(t)}`,
  });
  assert.equal(exitCode, 1);
  assert.match(stderr, /^missing\.jpg: .*No such file/m);
  assert.match(stdout, /rocket\.jpg: shape/);
});
