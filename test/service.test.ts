import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { readKeyList } from '../src/transport/security/api-key.ts';
import { startService } from '../src/service.ts';
import { grpcTls, postOverTls, service as grpcService } from './scenarios/both-transports.ts';
import { until } from './support/until.ts';
import { TestClient } from './support/grpc-client.ts';
import { imageBytes } from './support/golden.ts';
import { serviceConfig } from './support/service-config.ts';
import { importFixture, scratchFolder } from './support/tiny-models.ts';
import { tlsFixturePath } from './support/tls-fixtures.ts';

test('a body that finds no room is refused before it is read, and room comes back when a client goes', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const folder = await importFixture(scratch.path, 'siglip-tiny');
  const config = serviceConfig({ models: [{ folder }], maxBodyBytes: 150_000, maxInflightBytes: 200_000 });
  const service = await startService(config, pino({ level: 'silent' }), () => {});
  t.after(() => service.close());
  const encode = () =>
    fetch(`http://127.0.0.1:${service.httpPort}/v1/encode`, {
      method: 'POST',
      body: imageBytes('rocket.jpg'),
    });
  const slow = connect(service.httpPort, '127.0.0.1');
  // What is announced is charged at once, before it comes.
  slow.write('POST /v1/encode HTTP/1.1\r\nhost: x\r\ncontent-length: 120000\r\n\r\n');
  let refused = await encode();
  await until(async () => refused.status === 429 || (refused = await encode()).status === 429);
  assert.equal(refused.headers.get('retry-after'), '1');
  const { code, detail } = (await refused.json()) as { code: string; detail: string };
  assert.equal(code, 'overloaded');
  assert.match(detail, /--max-inflight-bytes/);
  slow.destroy();
  await until(async () => (await encode()).status === 200);
});

test('a start that is stopped loads no other model', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const folder = await importFixture(scratch.path, 'siglip-tiny');
  const models = ['first', 'second', 'third'].map((name) => ({ name, folder }));
  const stopping = new AbortController();
  const loaded: string[] = [];
  const logger = pino(
    {},
    {
      write(line: string) {
        const { msg, model } = JSON.parse(line) as { msg: string; model: string };
        if (msg !== 'loading the model') return;
        loaded.push(model);
        stopping.abort();
      },
    },
  );
  // One engine takes all cores, so that models start one after the other.
  const config = serviceConfig({ models, threads: availableParallelism(), stopping: stopping.signal });
  await assert.rejects(startService(config, logger, () => {}));
  assert.deepEqual(loaded, ['first']);
});

test('metrics say which version runs, which models it serves and which of them took the time', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const folder = await importFixture(scratch.path, 'siglip-tiny');
  const config = serviceConfig({ models: [{ name: 'tiny', folder }], version: '1.2.3' });
  const service = await startService(config, pino({ level: 'silent' }), () => {});
  t.after(() => service.close());
  const url = `http://127.0.0.1:${service.httpPort}`;
  await (await fetch(`${url}/v1/encode`, { method: 'POST', body: imageBytes('rocket.jpg') })).arrayBuffer();
  const { models } = (await (await fetch(`${url}/v1/models`)).json()) as { models: { digest: string }[] };
  const text = await (await fetch(`${url}/metrics`)).text();
  assert.ok(text.includes(`siglip_hd_build_info{version="1.2.3",node="${process.versions.node}"} 1\n`));
  const of = `model="tiny",digest="${models[0]!.digest}",features="last_hidden_state",precision="fp32",revision=""`;
  assert.ok(text.includes(`siglip_hd_model_info{${of}} 1\n`));
  for (const stage of ['decode', 'views', 'queue', 'engine', 'assemble', 'write']) {
    assert.match(
      text,
      new RegExp(`_stage_duration_seconds_count\\{stage="${stage}",model="tiny"\\} 1\\n`),
      stage,
    );
  }
});

test('metrics have a port of their own where they are given one, and nothing else has', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const folder = await importFixture(scratch.path, 'siglip-tiny');
  const reading = readKeyList('ada:ada-0123456789abcdef');
  assert.ok(reading.ok);
  const config = serviceConfig({ models: [{ folder }], metricsPort: 0, apiKeys: reading.keys });
  const service = await startService(config, pino({ level: 'silent' }), () => {});
  t.after(() => service.close());
  const statusOf = async (port: number | undefined, path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    await answer.arrayBuffer();
    return answer.status;
  };
  const { httpPort, metricsPort } = service;
  for (const path of ['/metrics', '/healthz', '/readyz'])
    assert.equal(await statusOf(metricsPort, path), 200);
  for (const path of ['/docs', '/v1/models', '/v1/encode'])
    assert.equal(await statusOf(metricsPort, path), 404);
  assert.equal(await statusOf(httpPort, '/metrics'), 404);
  assert.equal(await statusOf(httpPort, '/readyz'), 200);
  await service.drain();
  assert.equal(await statusOf(metricsPort, '/metrics'), 200, 'a drain can be watched to its end');
  assert.equal(await statusOf(metricsPort, '/readyz'), 503);
});

test('asks for the same key and speaks the same TLS on both transports', async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const folder = await importFixture(scratch.path, 'siglip-tiny');
  const reading = readKeyList('ada:ada-0123456789abcdef');
  assert.ok(reading.ok);
  const config = serviceConfig({
    models: [{ folder }],
    apiKeys: reading.keys,
    tlsCert: tlsFixturePath('server.pem'),
    tlsKey: tlsFixturePath('server.key'),
  });
  const service = await startService(config, pino({ level: 'silent' }), () => {});
  t.after(() => service.close());
  const client = new TestClient(service.grpcPort, grpcService, undefined, undefined, grpcTls());
  t.after(() => client.close());
  const file = { image: { file: imageBytes('rocket.jpg') } };
  const metadata = { 'x-api-key': 'ada-0123456789abcdef' };
  assert.equal((await postOverTls(service.httpPort)).status, 401);
  assert.equal((await client.call('Encode', file)).error?.code, status.UNAUTHENTICATED);
  assert.equal((await client.call('Encode', file, { metadata })).error, undefined);
});
