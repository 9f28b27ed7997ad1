import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { openTracing } from '../../src/telemetry/open-tracing.ts';
import { OtlpReceiver, type OtlpTls } from '../support/otlp-receiver.ts';
import { type ProxyOptions, ProxyServer } from '../support/proxy-server.ts';
import { tlsFixture, tlsFixturePath } from '../support/tls-fixtures.ts';

type Protocol = 'grpc' | 'http/protobuf';

/** A collector and a proxy; `send` sends one span as the environment says, and gives the log's lines. */
async function setUp(
  t: TestContext,
  protocol: Protocol,
  options: ProxyOptions & { readonly tls?: OtlpTls } = {},
) {
  const { tls, ...proxied } = options;
  const receiver = await OtlpReceiver.start(tls);
  t.after(() => receiver.close());
  const proxy = await ProxyServer.open(t, proxied);
  const send = async (variables: Record<string, string>): Promise<string[]> => {
    const before = { ...process.env };
    // OpenTelemetry's libraries read no other.
    Object.assign(process.env, {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint(protocol),
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      ...variables,
    });
    const lines: string[] = [];
    try {
      const logger = pino({}, { write: (line: string) => lines.push(line) });
      const tracing = await openTracing(process.env, '1.2.3', logger);
      tracing
        ?.begin(() => undefined, performance.now())
        ?.end({ name: 'one', attributes: {}, endMs: performance.now() });
      await tracing?.close();
    } finally {
      for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
      Object.assign(process.env, before);
    }
    return lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
  };
  return { receiver, proxy, send };
}

const identity = { key: tlsFixture('server.key'), cert: tlsFixture('server.pem') };

test('traces go over HTTP through HTTP_PROXY, with its credentials', async (t) => {
  const { receiver, proxy, send } = await setUp(t, 'http/protobuf', { credentials: 'me:p@ss' });
  assert.deepEqual(await send({ HTTP_PROXY: `http://me:p%40ss@${proxy.address}` }), []);
  assert.equal(receiver.spans.length, 1);
  assert.deepEqual(proxy.passed, [`POST ${receiver.endpoint('http/protobuf')}/v1/traces`]);
  const lines = await send({ HTTP_PROXY: proxy.address });
  assert.ok(lines.includes('the last traces are lost: the collector did not accept them in time'));
});

test('traces go over TLS through HTTPS_PROXY, with the certificates of the OTEL_ variables', async (t) => {
  const tls = { ...identity, ca: tlsFixture('ca.pem'), requestCert: true };
  const { receiver, proxy, send } = await setUp(t, 'http/protobuf', { tls });
  const env = {
    ALL_PROXY: proxy.address,
    OTEL_EXPORTER_OTLP_CERTIFICATE: tlsFixturePath('ca.pem'),
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: tlsFixturePath('client.pem'),
    OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: tlsFixturePath('client.key'),
  };
  assert.deepEqual(await send(env), []);
  assert.equal(receiver.spans.length, 1);
  assert.deepEqual(proxy.passed, [`CONNECT ${new URL(receiver.endpoint('http/protobuf')).host}`]);
  assert.deepEqual(await send({ ...env, NO_PROXY: 'localhost' }), []);
  assert.equal(receiver.spans.length, 2);
  assert.equal(proxy.passed.length, 1);
});

test('traces go over gRPC through the proxy of any variable, in upper or lower case', async (t) => {
  const { receiver, proxy, send } = await setUp(t, 'grpc', { credentials: 'me:p@ss' });
  const address = `http://me:p%40ss@${proxy.address}`;
  for (const name of ['grpc_proxy', 'HTTPS_PROXY', 'http_proxy', 'ALL_PROXY']) {
    assert.deepEqual(await send({ [name]: address }), [], name);
  }
  assert.equal(receiver.spans.length, 4);
  const { host } = new URL(receiver.endpoint('grpc'));
  assert.deepEqual(
    proxy.passed,
    Array.from({ length: 4 }, () => `CONNECT ${host}`),
  );
});

test('NO_PROXY holds for gRPC by the same rules', async (t) => {
  const { receiver, proxy, send } = await setUp(t, 'grpc');
  for (const NO_PROXY of ['127.0.0.1', '127.0.0.0/8', '*']) {
    assert.deepEqual(await send({ https_proxy: `http://${proxy.address}`, NO_PROXY }), [], NO_PROXY);
  }
  assert.deepEqual(proxy.passed, []);
  assert.deepEqual(
    await send({ https_proxy: `http://${proxy.address}`, NO_PROXY: '.0.0.1, 10.0.0.0/8' }),
    [],
  );
  assert.equal(proxy.passed.length, 1);
  assert.equal(receiver.spans.length, 4);
});

test('a proxy that cannot be used switches traces off with a warning, and nothing goes past it', async (t) => {
  for (const [protocol, proxy, message] of [
    ['http/protobuf', 'socks5://127.0.0.1:9', /^traces are off: ALL_PROXY names a SOCKS proxy/],
    ['grpc', 'socks5://127.0.0.1:9', /^traces are off: ALL_PROXY names a SOCKS proxy/],
    ['grpc', 'https://127.0.0.1:9', /^traces are off: gRPC needs an http:\/\/ proxy/],
  ] as const) {
    const { receiver, send } = await setUp(t, protocol);
    const lines = await send({ ALL_PROXY: proxy });
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, message);
    assert.deepEqual(receiver.spans, []);
  }
});

test('a value that OpenTelemetry does not know is warned of, and traces are sent all the same', async (t) => {
  const { receiver, send } = await setUp(t, 'http/protobuf');
  const lines = await send({ OTEL_TRACES_SAMPLER: 'xray', OTEL_BSP_SCHEDULE_DELAY: 'soon' });
  assert.equal(lines.length, 2);
  assert.match(lines[0]!, /^OTEL_TRACES_SAMPLER=xray is ignored/);
  assert.equal(receiver.spans.length, 1);
});
