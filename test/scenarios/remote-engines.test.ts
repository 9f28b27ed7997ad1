import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { freePort } from '../../bench/processes/free-port.ts';
import { parseEndpoint } from '../../src/inference/remote/endpoint.ts';
import { readModelFolder } from '../../src/model/load-folder.ts';
import type { Model } from '../../src/model/model.ts';
import { encoderSignature } from '../../src/model/signature.ts';
import { type Service, startService } from '../../src/service.ts';
import { Gate } from '../support/gate.ts';
import { imageBytes } from '../support/golden.ts';
import { InferenceServer } from '../support/inference-server.ts';
import { importLayers } from '../support/layers-golden.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';
import { tlsFixturePath } from '../support/tls-fixtures.ts';
import { until } from '../support/until.ts';

const scratch = scratchFolder();
/** A folder with model.json alone. */
const folder = join(scratch.path, 'tiny');
let model: Model;

before(async () => {
  const imported = await importFixture(scratch.path, 'siglip-tiny');
  mkdirSync(folder);
  copyFileSync(join(imported, 'model.json'), join(folder, 'model.json'));
  model = await readModelFolder(folder);
});
after(() => scratch.remove());

async function startServer(t: TestContext, port?: number): Promise<InferenceServer> {
  const signature = encoderSignature(model);
  const server = await InferenceServer.start({ signature, model: 'tiny', port });
  t.after(() => server.kill());
  return server;
}

async function serve(
  t: TestContext,
  ports: readonly number[],
  {
    stopping,
    of = folder,
    httpPort = 0,
  }: { readonly stopping?: AbortSignal; readonly of?: string; readonly httpPort?: number } = {},
): Promise<Service> {
  const engines = ports.map((port) => ({
    model: 'tiny',
    endpoint: parseEndpoint(`grpc://127.0.0.1:${port}`)!,
  }));
  const remote = { engines, access: {}, parallel: 1 };
  const config = serviceConfig({ models: [{ name: 'tiny', folder: of }], remote, httpPort, stopping });
  const service = await startService(config, pino({ level: 'silent' }), () => {});
  t.after(() => service.close());
  return service;
}

const url = ({ httpPort }: Service, path: string) => `http://127.0.0.1:${httpPort}${path}`;

let pictures = 0;
/** Asks for the tokens of a picture that nobody has asked for. */
async function encode(service: Service): Promise<Response> {
  const body = Buffer.concat([imageBytes('rocket.jpg'), Buffer.from(String(pictures++))]);
  return await fetch(url(service, '/v1/encode?format=raw'), { method: 'POST', body });
}

test('encodes on a server, with model.json alone and one of two servers dead at the start', async (t) => {
  const server = await startServer(t);
  const service = await serve(t, [await freePort(), server.port]);
  const response = await encode(service);
  assert.equal(response.status, 200);
  const tokens = new Uint8Array(await response.arrayBuffer());
  assert.equal(tokens.byteLength, 1024 * 32 * 2);
  const { engines } = (await (await fetch(url(service, '/readyz'))).json()) as {
    engines: { up: number; total: number };
  };
  assert.deepEqual(engines, { up: 1, total: 2 });
});

test('while it waits for a first server, /readyz and the metrics say for which, and why', async (t) => {
  const [port, httpPort] = [await freePort(), await freePort()];
  const starting = serve(t, [port], { httpPort });
  const ask = async (path: string) => await fetch(`http://127.0.0.1:${httpPort}${path}`);
  const engineUp = async () => {
    const text = await (await ask('/metrics')).text();
    return /^siglip_hd_engine_up\{model="tiny",engine="(.*)"\} (.)$/m.exec(text)?.slice(1);
  };
  const engine = `grpc://127.0.0.1:${port}`;
  let detail = '';
  await until(async () => {
    const answer = await ask('/readyz').catch(() => undefined);
    if (answer === undefined) return false;
    assert.equal(answer.status, 503);
    ({ detail } = (await answer.json()) as { detail: string });
    return detail.includes('connection refused');
  });
  assert.equal(
    detail,
    `The service is not ready: the model "tiny" waits for ${engine} (cannot be reached: connection refused).`,
  );
  assert.deepEqual(await engineUp(), [engine, '0']);
  await startServer(t, port);
  await starting;
  assert.equal((await ask('/readyz')).status, 200);
  assert.deepEqual(await engineUp(), [engine, '1']);
});

test('encodes several layers, class tokens and pooled vectors on a server', async (t) => {
  const imported = await importLayers(scratch.path, 'clip-projected');
  const signature = encoderSignature(await readModelFolder(imported));
  const server = await InferenceServer.start({ signature, model: 'tiny' });
  t.after(() => server.kill());
  const service = await serve(t, [server.port], { of: imported });
  const sizeOf = async (query: string) => {
    const path = `/v1/encode?format=raw&dtype=float32&${query}`;
    const response = await fetch(url(service, path), { method: 'POST', body: imageBytes('rocket.jpg') });
    assert.equal(response.status, 200);
    return (await response.arrayBuffer()).byteLength / 4;
  };
  assert.equal(await sizeOf('features=penultimate,-3'), 16 * 64);
  assert.equal(await sizeOf('features=penultimate,-3&class_token=true'), 17 * 64);
  assert.equal(await sizeOf('output=pooled'), 24);
});

test('loses no request when its only server is killed under load and comes back', async (t) => {
  const server = await startServer(t);
  const service = await serve(t, [server.port]);
  const gate = new Gate();
  server.hold = () => gate.passed();
  const sentBefore = server.batches.length;
  const asked = Array.from({ length: 12 }, () => encode(service));
  await until(() => server.batches.length > sentBefore);
  server.kill();
  await until(async () => !(await fetch(url(service, '/readyz'))).ok);
  await startServer(t, server.port);
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  assert.deepEqual(statuses, Array(12).fill(200));
  assert.equal((await fetch(url(service, '/readyz'))).status, 200);
});

test('tries the batches of a killed server on another', async (t) => {
  const servers = [await startServer(t), await startServer(t)];
  const service = await serve(
    t,
    servers.map(({ port }) => port),
  );
  await until(() => servers.every(({ batches }) => batches.length > 0));
  const gate = new Gate();
  const [first, second] = servers as [InferenceServer, InferenceServer];
  const sentBefore = first.batches.length;
  first.hold = () => gate.passed();
  second.hold = () => gate.passed();
  const asked = Array.from({ length: 12 }, () => encode(service));
  await until(() => first.batches.length > sentBefore);
  second.hold = undefined;
  gate.open();
  first.kill();
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  assert.deepEqual(statuses, Array(12).fill(200));
});

test('says that it is unavailable when its servers stay away, and works again when one comes back', async (t) => {
  const server = await startServer(t);
  const service = await serve(t, [server.port]);
  server.kill();
  await until(async () => {
    const answer = await fetch(url(service, '/readyz'));
    if (answer.ok) return false;
    const { detail } = (await answer.json()) as { detail: string };
    return detail.includes(`the model "tiny" waits for grpc://127.0.0.1:${server.port} (`);
  });
  const waited = await encode(service);
  assert.equal(waited.status, 503);
  const problem = (await waited.json()) as { code: string; detail: string };
  assert.equal(problem.code, 'unavailable');
  assert.equal(problem.detail, 'The remote engine cannot be reached: connection refused.');
  assert.ok(waited.headers.has('retry-after'));
  // Nothing waits any more.
  const at = performance.now();
  assert.equal((await encode(service)).status, 503);
  assert.ok(performance.now() - at < 5000);
  assert.equal((await fetch(url(service, '/healthz'))).status, 200);
  await startServer(t, server.port);
  await until(async () => (await encode(service)).status === 200);
});

test('does not start when every server runs another model, and says what differs', async (t) => {
  const server = await startServer(t);
  server.metadata.inputs = [{ ...encoderSignature(model).input, dims: [384, 384, 3] }];
  await assert.rejects(serve(t, [server.port]), {
    code: 'failed_precondition',
    message:
      "The remote engine's model tiny has the input pixels as UINT8 [-1, 384, 384, 3], not UINT8 [-1, 512, 512, 3]. " +
      'Serve there what `siglip-hd export-triton` makes of the same folder.',
  });
});

test('does not start without files that its remote engines can use', async () => {
  const endpoint = parseEndpoint('grpcs://127.0.0.1:1')!;
  const [cert, key] = [tlsFixturePath('client.pem'), tlsFixturePath('client.key')];
  for (const [access, message] of [
    [
      { tokenFile: '/no/token' },
      '--remote-engine-token-file /no/token cannot be read: no such file or directory.',
    ],
    [{ caFile: key }, '--remote-engine-ca is not a PEM certificate.'],
    [{ certFile: key, keyFile: key }, '--remote-engine-cert is not a PEM certificate.'],
    [
      { certFile: cert, keyFile: cert },
      '--remote-engine-key must be a PEM private key without a passphrase.',
    ],
    [
      { certFile: cert, keyFile: tlsFixturePath('server.key') },
      '--remote-engine-key does not belong to --remote-engine-cert.',
    ],
  ] as const) {
    const remote = { engines: [{ model: 'tiny', endpoint }], access, parallel: 1 };
    const config = serviceConfig({ models: [{ name: 'tiny', folder }], remote });
    await assert.rejects(
      startService(config, pino({ level: 'silent' }), () => {}),
      { code: 'invalid_argument', message },
    );
  }
});

test('ends the wait for a first server when it is told to stop', async (t) => {
  const stopping = new AbortController();
  const starting = serve(t, [await freePort()], { stopping: stopping.signal });
  stopping.abort();
  await assert.rejects(starting, { code: 'unavailable' });
});
