import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../support/external.ts';
import { grpcAddress, guardedGrpcAddress } from '../support/grpc-stand-in.ts';
import { tlsFixturePath } from '../support/tls-fixtures.ts';

const client = 'examples/node-client/client.js';
const image = 'test/fixtures/images/rocket.jpg';

const run = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
  runProgram(process.execPath, [client, ...args], environment);

test('the Node client prints the shape, the model and the timings', async (t) => {
  const { exitCode, stdout, stderr } = await run([image, `grpc://${await grpcAddress(t)}`]);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^shape \[\d+, \d+\], \d+ values/m);
  assert.match(stdout, /^model \S+, FEATURE_LAYER_\w+, trained: (true|false)$/m);
  assert.match(stdout, /^decodeMs [\d.]+, viewsMs [\d.]+, queueMs [\d.]+, engineMs [\d.]+/m);
});

test('the Node client takes URL, key and CA from the environment', async (t) => {
  const key = 'ada-0123456789abcdef';
  const trusted = {
    SIGLIPHD_URL: `grpcs://${await guardedGrpcAddress(t, key)}`,
    NODE_EXTRA_CA_CERTS: tlsFixturePath('ca.pem'),
    // It would replace Node's own.
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: '',
  };
  const { exitCode, stdout, stderr } = await run([image], { ...trusted, SIGLIPHD_API_KEY: key });
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^shape \[\d+, \d+\]/m);
  const refused = await run([image], { ...trusted, SIGLIPHD_API_KEY: '' });
  assert.match(refused.stderr, /^UNAUTHENTICATED: An API key is required/m);
  const untrusting = await run([image], { ...trusted, NODE_EXTRA_CA_CERTS: '' });
  assert.match(untrusting.stderr, /^UNAVAILABLE: .*certificate/m);
});

test('the Node client says what its URL must be', async () => {
  const { exitCode, stderr } = await run([image, 'http://localhost:8080']);
  assert.equal(exitCode, 1);
  assert.equal(
    stderr,
    'http://localhost:8080 is not a gRPC address: use grpc://HOST:PORT or grpcs://HOST:PORT.\n',
  );
});

test('the Node client says why it failed', async () => {
  const { exitCode, stderr } = await run([image, 'grpc://127.0.0.1:1']);
  assert.equal(exitCode, 1);
  assert.match(stderr, /^UNAVAILABLE: .*ECONNREFUSED/m);
  assert.doesNotMatch(stderr, /: *$/m);
});

test('the Node client says which image it cannot read', async () => {
  const { exitCode, stderr } = await run(['missing.jpg']);
  assert.equal(exitCode, 2);
  assert.match(stderr, /missing\.jpg/);
});

test('the Node client fits the types that are generated from the contract', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'siglip-hd-node-client-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const name of ['proto', 'node_modules']) await symlink(resolve(name), join(folder, name));
  const copy = join(folder, 'examples/node-client');
  await cp('examples/node-client', copy, { recursive: true });
  for (const script of ['types', 'check']) {
    const { exitCode, stdout, stderr } = await runProgram('npm', [
      '--prefix',
      copy,
      'run',
      '--silent',
      script,
    ]);
    assert.equal(exitCode, 0, stdout + stderr);
  }
});
