import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { externalTest, runProgram } from '../support/external.ts';
import { grpcAddress } from '../support/grpc-stand-in.ts';

// Debian's own Python sees Debian's packages; another one on the path may have pip's.
const candidates = process.env.PYTHON === undefined ? ['/usr/bin/python3', 'python3'] : [process.env.PYTHON];

async function python(): Promise<string | undefined> {
  for (const candidate of candidates) {
    const { exitCode } = await runProgram(candidate, ['-c', 'import grpc, grpc_tools.protoc, numpy']);
    if (exitCode === 0) return candidate;
  }
  return undefined;
}

externalTest(
  'the Python client prints the shape, the model and the timings',
  async () =>
    (await python()) === undefined
      ? `no grpc, grpc_tools and numpy in ${candidates.join(' or ')}`
      : undefined,
  async (t) => {
    const interpreter = (await python())!;
    const stubs = await mkdtemp(join(tmpdir(), 'siglip-hd-stubs-'));
    t.after(() => rm(stubs, { recursive: true }));
    const generated = await runProgram(interpreter, [
      '-m',
      'grpc_tools.protoc',
      '-Iproto',
      `--python_out=${stubs}`,
      `--grpc_python_out=${stubs}`,
      'siglip_hd/v1/encoder.proto',
    ]);
    assert.equal(generated.exitCode, 0, generated.stderr);

    const { exitCode, stdout, stderr } = await runProgram(
      interpreter,
      ['examples/python-client/client.py', 'test/fixtures/images/rocket.jpg', await grpcAddress(t)],
      { PYTHONPATH: stubs },
    );
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /^shape \(\d+, \d+\), float16$/m);
    assert.match(stdout, /^model \S+, trained: (True|False)$/m);
    assert.match(stdout, /^decode [\d.]+ ms, views [\d.]+ ms, queue [\d.]+ ms, engine [\d.]+ ms$/m);
  },
);
