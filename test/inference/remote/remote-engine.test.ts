import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { ServerCredentials, status } from '@grpc/grpc-js';
import type { RemoteAccess } from '../../../src/inference/remote/access.ts';
import type { EngineDown } from '../../../src/inference/remote/engine-down.ts';
import type { ExaminedModel } from '../../../src/inference/remote/examine-model.ts';
import {
  graceMs,
  RemoteEngine,
  type RemoteEngineOptions,
} from '../../../src/inference/remote/remote-engine.ts';
import { encoderSignature, outputTensors } from '../../../src/model/signature.ts';
import { model } from '../../recipes/model.ts';
import { Gate } from '../../support/gate.ts';
import { InferenceServer, type InferenceServerOptions } from '../../support/inference-server.ts';
import { tlsFixture, tlsFixturePath } from '../../support/tls-fixtures.ts';
import { until } from '../../support/until.ts';

const small = { ...model, imageSize: 32, grid: { width: 2, height: 2 }, channels: 3 };
const signature = encoderSignature(small);
const viewBytes = 32 * 32 * 3;
const view = (first: number) => new Uint8Array(viewBytes).fill(first, 0, 1);

async function startServer(
  t: TestContext,
  options: Partial<InferenceServerOptions> = {},
): Promise<InferenceServer> {
  const server = await InferenceServer.start({ signature, model: 'tiny', ...options });
  t.after(() => server.kill());
  return server;
}

/** Only ends a test that hangs. */
const usualLimitMs = 60_000;

interface SetUp {
  readonly port: number;
  readonly access?: RemoteAccess;
  readonly secure?: boolean;
  readonly digest?: string;
  /** How long batches wait for a server that is down; a minute when absent. */
  readonly graceMs?: number;
  readonly prove?: RemoteEngineOptions['prove'];
  readonly now?: RemoteEngineOptions['now'];
}

function connect(
  t: TestContext,
  {
    port,
    access = {},
    secure = false,
    digest = small.digest,
    graceMs: lastsMs = 60_000,
    prove,
    now = () => performance.now(),
  }: SetUp,
) {
  /** Of batches. A test shortens them once the engine is up, so that a slow start is not late. */
  const limits: { batchMs: number; lateMs?: number } = { batchMs: usualLimitMs };
  const ups: ExaminedModel[] = [];
  const downs: EngineDown[] = [];
  const states: string[] = [];
  const lates: string[] = [];
  const threadErrors: unknown[] = [];
  const engine: RemoteEngine = new RemoteEngine({
    endpoint: { host: secure ? 'localhost' : '127.0.0.1', port, secure },
    access,
    wanted: { name: 'tiny', signature, digest },
    parallel: 1,
    limitMs: () => limits.batchMs,
    lateMs: () => limits.lateMs,
    prove: prove ?? (async (proved) => void (await proved.encode([view(1)], ['float16']))),
    onUp: (examined) => ups.push(examined),
    onDown: (error) => downs.push(error),
    onThreadError: (error) => threadErrors.push(error),
    onLate: () => lates.push(engine.state),
    onChange: () => states.push(engine.state),
    // Attempts and checks come 50 times as fast.
    wait: async (waitMs, signal) =>
      await wait(waitMs === graceMs ? lastsMs : waitMs / 50, undefined, { signal }),
    now,
  });
  t.after(() => engine.close());
  return {
    engine,
    limits,
    ups,
    downs,
    states,
    lates,
    threadErrors,
    isUp: () => until(() => engine.state === 'up'),
  };
}

const causeOf = (error: EngineDown | undefined): string => String(error?.cause);

test('sends pixels raw and gets the tokens and finite flags of the outputs that are asked for', async (t) => {
  const server = await startServer(t);
  const { engine, isUp } = connect(t, server);
  await isUp();
  const { tokens, finite } = await engine.encode([view(7), view(99)], ['float16', 'float32']);
  assert.deepEqual(finite, { float16: [true, false], float32: [true, false] });
  assert.deepEqual(tokens.float16, Uint8Array.from([...Array(24).fill(7), ...Array(24).fill(99)]));
  assert.equal(tokens.float32?.byteLength, 2 * 48);
  assert.equal(tokens.float32.buffer.byteLength, 2 * 48);
});

test('keeps the views of a failed batch and of tokens that are not finite, and frees the others', async (t) => {
  const server = await startServer(t);
  const { engine, isUp } = connect(t, server);
  await isUp();
  const views = [view(7), view(99)];
  server.refusal = { code: status.INTERNAL, details: 'out of memory' };
  await assert.rejects(engine.encode(views, ['float16']), { code: 'internal' });
  assert.deepEqual(
    views.map(({ byteLength }) => byteLength),
    [viewBytes, viewBytes],
  );
  server.refusal = undefined;
  await engine.encode(views, ['float16']);
  assert.deepEqual(
    views.map(({ byteLength }) => byteLength),
    [0, viewBytes],
  );
});

test('never sends more views than the server takes, and joins the parts', async (t) => {
  const server = await startServer(t, { config: { maxBatchSize: 2 } });
  const { engine, isUp, ups } = connect(t, server);
  await isUp();
  assert.equal(ups[0]?.largest, 2);
  const { tokens, finite } = await engine.encode([1, 2, 3, 4, 5].map(view), ['float16']);
  assert.deepEqual(server.batches, [1, 2, 2, 1]);
  assert.deepEqual(finite.float16, Array(5).fill(true));
  const firsts = Array.from({ length: 5 }, (_, index) => tokens.float16![index * 24]);
  assert.deepEqual(firsts, [1, 2, 3, 4, 5]);
});

test('refuses a server whose model has other tensors, and says which', async (t) => {
  const { input } = signature;
  const outputs = [...(await startServer(t)).metadata.outputs];
  const cases = [
    [
      { inputs: [{ ...input, dims: [64, 64, 3] }], outputs },
      /has the input pixels as UINT8 \[-1, 64, 64, 3\], not UINT8 \[-1, 32, 32, 3\]/,
    ],
    [{ inputs: [{ ...input, datatype: 'FP32' as const }], outputs }, /has the input pixels as FP32/],
    [{ inputs: [input], outputs: outputs.slice(1) }, /has no output tokens, which is FP32 \[-1, 4, 3\]/],
    [
      {
        inputs: [input],
        outputs: outputTensors(encoderSignature({ ...small, channels: 5 })),
      },
      /has the output tokens as FP32 \[-1, 4, 5\], not FP32 \[-1, 4, 3\]/,
    ],
  ] as const;
  for (const [metadata, expected] of cases) {
    const server = await startServer(t);
    server.metadata = { inputs: [...metadata.inputs], outputs: [...metadata.outputs] };
    const { engine, downs } = connect(t, server);
    await until(() => downs.length > 0);
    assert.equal(downs[0]?.isUnfit, true);
    assert.match(causeOf(downs[0]), expected);
    await assert.rejects(engine.encode([view(1)], ['float16']), {
      code: 'unavailable',
      message: 'The remote engine serves another model.',
    });
  }
});

test('says so when the server is another siglip-hd', async (t) => {
  const server = await startServer(t);
  server.name = 'siglip-hd';
  const { engine, downs } = connect(t, server);
  await until(() => downs.length > 0);
  assert.equal(downs[0]?.isUnfit, true);
  assert.equal(downs[0].reason, 'is a siglip-hd service');
  assert.match(causeOf(downs[0]), /grpc:\/\/127.0.0.1:\d+ is a siglip-hd service, not a model server/);
  await assert.rejects(engine.encode([view(1)], ['float16']), {
    code: 'unavailable',
    message: 'The remote engine is a siglip-hd service.',
  });
});

test('reports a failure again after a minute, and not before', async (t) => {
  const server = await startServer(t);
  server.kill();
  let minutes = 0;
  const { downs } = connect(t, { port: server.port, now: () => minutes * 60_000 });
  await until(() => downs.length === 1);
  await wait(300);
  assert.equal(downs.length, 1);
  minutes = 1;
  await until(() => downs.length === 2);
});

test('holds the digest that the server tells against that of model.json', async (t) => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const server = await startServer(t, { config: { maxBatchSize: 4, digest } });
  const same = connect(t, { port: server.port, digest });
  await same.isUp();
  assert.equal(same.ups[0]?.toldDigest, true);
  const other = connect(t, { port: server.port });
  await until(() => other.downs.length > 0);
  assert.match(causeOf(other.downs[0]), /was made from the model folder sha256:a+, not from sha256:(ab)+/);
});

test('takes a server that names no tensors, and holds its answers against model.json', async (t) => {
  const server = await startServer(t);
  server.metadata = { inputs: [], outputs: [] };
  const { isUp, engine, downs } = connect(t, server);
  await isUp();
  const spoils: readonly [NonNullable<InferenceServer['spoil']>, RegExp][] = [
    [({ outputs }) => outputs.splice(0, 1), /has no output tokens_float16/],
    [({ rawOutputContents }) => rawOutputContents.splice(0), /tokens_float16 without raw contents/],
    [(answer) => Object.assign(answer.outputs[0]!, { datatype: 'BF16' }), /is BF16 \[1, 4, 3\], not FP16/],
    [
      (answer) => Object.assign(answer.outputs[0]!, { shape: [1, 5, 3] }),
      /is FP16 \[1, 5, 3\], not FP16 \[1, 4, 3\]/,
    ],
    [
      (answer) => void (answer.rawOutputContents[0] = Buffer.alloc(23)),
      /has 23 bytes, not the 24 of its shape/,
    ],
  ];
  for (const [spoil, expected] of spoils) {
    server.spoil = spoil;
    const before = downs.length;
    await assert.rejects(engine.encode([view(1)], ['float16']), {
      code: 'unavailable',
      message: 'The remote engine gives answers that do not match its model.',
    });
    assert.notEqual(engine.state, 'up');
    await until(() => downs.length > before);
    assert.match(causeOf(downs.at(-1)), expected);
    server.spoil = undefined;
    await isUp();
  }
});

test('fails the batches of a server that is killed at once, and comes back with the server', async (t) => {
  const server = await startServer(t);
  const { engine, isUp, downs, states } = connect(t, server);
  await isUp();
  const gate = new Gate();
  server.hold = () => gate.passed();
  const lost = engine.encode([view(1)], ['float16']);
  await until(() => server.batches.length === 2);
  server.kill();
  await assert.rejects(lost, { code: 'unavailable', message: 'The remote engine lost its connection.' });
  await assert.rejects(engine.encode([view(1)], ['float16']), { code: 'unavailable' });
  await until(() => downs.length > 0);
  assert.equal(downs[0]?.reason, 'lost its connection');
  assert.match(causeOf(downs[0]), /grpc:\/\/127\.0\.0\.1:\d+ lost its connection: \w/);
  await startServer(t, { port: server.port });
  await isUp();
  const { tokens } = await engine.encode([view(5)], ['float16']);
  assert.equal(tokens.float16?.[0], 5);
  assert.deepEqual(states, ['up', 'down', 'up']);
});

test('a thread that dies takes its batch along, and the engine connects again and closes', async (t) => {
  const server = await startServer(t);
  const workers: Worker[] = [];
  const add = (worker: Worker) => workers.push(worker);
  process.on('worker', add);
  t.after(() => process.off('worker', add));
  const { engine, isUp, downs, threadErrors } = connect(t, server);
  await isUp();
  const gate = new Gate();
  server.hold = () => gate.passed();
  const lost = engine.encode([view(1)], ['float16']);
  await until(() => server.batches.length === 2);
  await workers[0]!.terminate();
  await assert.rejects(lost, { code: 'unavailable', message: 'The remote engine lost its thread.' });
  await until(() => downs.length > 0);
  assert.equal(downs[0]?.reason, 'lost its thread');
  assert.match(causeOf(downs[0]), /the engine's thread failed: the thread exited with 1/);
  gate.open();
  await isUp();
  assert.equal((await engine.encode([view(5)], ['float16'])).tokens.float16?.[0], 5);
  await workers[1]!.terminate();
  await until(() => threadErrors.length > 0);
  await until(() => downs.length > 1);
  await isUp();
  await engine.close();
  assert.equal(engine.state, 'ended');
});

test('reports a server that cannot be reached once, and after a while nothing waits for it', async (t) => {
  const server = await startServer(t);
  server.kill();
  const { engine, downs, states, isUp } = connect(t, { port: server.port, graceMs: 500 });
  await until(() => downs.length > 0);
  await until(() => engine.state === 'ended');
  assert.equal(downs.length, 1);
  await startServer(t, { port: server.port });
  await isUp();
  assert.deepEqual(states, ['ended', 'up']);
});

test('a batch that takes longer than its limit fails, and the server must prove itself again', async (t) => {
  const server = await startServer(t);
  const { engine, isUp, downs, limits } = connect(t, server);
  await isUp();
  limits.batchMs = 200;
  const gate = new Gate();
  server.hold = () => gate.passed();
  const batch = engine.encode([view(1)], ['float16']);
  const neighbour = engine.encode([view(2)], ['float16']);
  await Promise.all([
    assert.rejects(batch, { message: 'The remote engine did not answer ModelInfer within 0.2 s.' }),
    assert.rejects(neighbour, { code: 'unavailable', message: /lost its connection|within 0\.4 s/ }),
  ]);
  await until(() => downs.length > 0);
  assert.match(causeOf(downs[0]), /did not answer ModelInfer within 0\.2 s/);
  assert.equal(engine.state, 'down');
  limits.batchMs = usualLimitMs;
  gate.open();
  await isUp();
});

test('is late while a batch takes much longer than it should, and is no longer when the batch ends', async (t) => {
  const server = await startServer(t);
  const { engine, isUp, states, lates, limits } = connect(t, server);
  await isUp();
  limits.lateMs = 50;
  const gate = new Gate();
  server.hold = () => gate.passed();
  const batch = engine.encode([view(1)], ['float16']);
  await until(() => engine.state === 'late');
  gate.open();
  await batch;
  assert.deepEqual(states, ['up', 'late', 'up']);
  assert.deepEqual(lates, ['late']);
});

test('a server without work that stops being ready is down before it gets a batch', async (t) => {
  const server = await startServer(t);
  const { engine, isUp, downs } = connect(t, server);
  await isUp();
  server.isReady = false;
  await until(() => engine.state === 'down');
  await until(() => downs.length > 0);
  assert.match(causeOf(downs[0]), /is not ready with its model tiny/);
  server.isReady = true;
  await isUp();
});

test('is not up before it has run what proves it', async (t) => {
  const server = await startServer(t);
  server.refusal = { code: status.INTERNAL, details: 'CUDA error' };
  const { engine, downs, isUp } = connect(t, server);
  await until(() => downs.length > 0);
  assert.equal(engine.state, 'down');
  assert.match(causeOf(downs[0]), /answered ModelInfer with INTERNAL: CUDA error/);
  server.refusal = undefined;
  await isUp();
});

test('speaks TLS, and sends the token of a file that it reads anew with each connection', async (t) => {
  const [key, cert] = [tlsFixture('server.key'), tlsFixture('server.pem')];
  const credentials = ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: cert }]);
  const server = await startServer(t, { credentials });
  const tokenFile = join(mkdtempSync(join(tmpdir(), 'token-')), 'token');
  writeFileSync(tokenFile, 'first\n');
  const access = { caFile: tlsFixturePath('ca.pem'), tokenFile };
  const { engine, isUp } = connect(t, { port: server.port, secure: true, access });
  await isUp();
  writeFileSync(tokenFile, 'second\n');
  server.refusal = { code: status.UNAUTHENTICATED, details: 'expired' };
  await assert.rejects(engine.encode([view(1)], ['float16']), { code: 'unavailable' });
  server.refusal = undefined;
  await isUp();
  assert.equal(server.authorizations[0], 'Bearer first');
  assert.equal(server.authorizations.at(-1), 'Bearer second');
});

test('is down while its certificate and key cannot be used, and comes back with files that can', async (t) => {
  const credentials = ServerCredentials.createSsl(
    tlsFixture('ca.pem'),
    [{ private_key: tlsFixture('server.key'), cert_chain: tlsFixture('server.pem') }],
    true,
  );
  const server = await startServer(t, { credentials });
  const keyFile = join(mkdtempSync(join(tmpdir(), 'key-')), 'key');
  writeFileSync(keyFile, 'no key\n');
  const access = { caFile: tlsFixturePath('ca.pem'), certFile: tlsFixturePath('client.pem'), keyFile };
  const { engine, downs, isUp } = connect(t, { port: server.port, secure: true, access });
  await until(() => downs.length > 0);
  assert.equal(downs[0]?.reason, "cannot be called with this service's credentials");
  assert.match(causeOf(downs[0]), /--remote-engine-key must be a PEM private key without a passphrase\./);
  await assert.rejects(engine.encode([view(1)], ['float16']), {
    code: 'unavailable',
    message: "The remote engine cannot be called with this service's credentials.",
  });
  writeFileSync(keyFile, tlsFixture('client.key'));
  await isUp();
});

test('closing rejects what is under way and ends the connecting', async (t) => {
  const server = await startServer(t);
  const { engine, isUp } = connect(t, server);
  await isUp();
  server.hold = () => new Promise(() => {});
  const lost = assert.rejects(engine.encode([view(1)], ['float16']), { code: 'unavailable' });
  await until(() => server.batches.length === 2);
  await engine.close();
  await lost;
  assert.equal(engine.state, 'ended');
  await assert.rejects(engine.encode([view(1)], ['float16']), { message: 'The engine is closing.' });
});

test('a server that fails on every image is down, one that fails on an image is not', async (t) => {
  const server = await startServer(t);
  const { engine, isUp, states } = connect(t, server);
  await isUp();
  server.refuses = (first) => first === 13;
  const failure = { code: status.INTERNAL, details: 'CUDA error' };
  server.refusal = failure;
  await assert.rejects(engine.encode([view(13)], ['float16']), { code: 'internal' });
  await until(() => server.batches.length === 3);
  assert.equal((await engine.encode([view(5)], ['float16'])).tokens.float16?.[0], 5);
  assert.deepEqual(states, ['up']);
  server.refuses = () => true;
  await assert.rejects(engine.encode([view(5)], ['float16']), { code: 'internal' });
  await until(() => engine.state === 'down');
  await assert.rejects(engine.encode([view(5)], ['float16']), {
    code: 'unavailable',
    message: 'The remote engine fails on every image.',
  });
  server.refusal = undefined;
  await isUp();
});
