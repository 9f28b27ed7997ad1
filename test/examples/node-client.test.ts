import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runProgram } from '../support/external.ts';
import { grpcAddress } from '../support/grpc-stand-in.ts';

const client = 'examples/node-client/client.js';

test('the Node client prints the shape, the model and the timings', async (t) => {
  const { exitCode, stdout, stderr } = await runProgram(process.execPath, [
    client,
    'test/fixtures/images/rocket.jpg',
    await grpcAddress(t),
  ]);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^shape \[\d+, \d+\], \d+ values/m);
  assert.match(stdout, /^model \S+, FEATURE_LAYER_\w+, trained: (true|false)$/m);
  assert.match(stdout, /^decode [\d.]+ ms, views [\d.]+ ms, queue [\d.]+ ms, engine [\d.]+ ms$/m);
});

test('the Node client says why it failed', async () => {
  const { exitCode, stderr } = await runProgram(process.execPath, [
    client,
    'test/fixtures/images/rocket.jpg',
    '127.0.0.1:1',
  ]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /^UNAVAILABLE: /m);
});
