// Requests of both transports, traced to a collector in this process.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { EventEmitter, once } from 'node:events';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { type Service, startService } from '../../src/service.ts';
import { openTracing } from '../../src/telemetry/open-tracing.ts';
import { type Stage, stages } from '../../src/telemetry/trace.ts';
import { imageBytes } from '../support/golden.ts';
import { type EncodeResponse, TestClient } from '../support/grpc-client.ts';
import { OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';
import { traceTree } from '../support/trace-tree.ts';

const scratch = scratchFolder();
const image = imageBytes('rocket.jpg');
const require = createRequire(import.meta.url);
let models: { name: string; folder: string }[];
before(async () => {
  models = [{ name: 'siglip-tiny', folder: await importFixture(scratch.path, 'siglip-tiny') }];
});
after(() => scratch.remove());

const traceId = 'abcdef0123456789abcdef0123456789';
const parentSpanId = '0123456789abcdef';
const traceparent = `00-${traceId}-${parentSpanId}-01`;

type Line = Readonly<Record<string, unknown>>;

const loaded = () => Object.keys(require.cache).filter((path) => path.includes('@opentelemetry/sdk-trace'));

/** A service whose traces go to a receiver, and the lines of its log. */
async function traced(protocol: 'grpc' | 'http/protobuf', env: Record<string, string> = {}) {
  const receiver = await OtlpReceiver.start();
  const variables = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint(protocol),
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_BSP_SCHEDULE_DELAY: '10',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    ...env,
  };
  // OpenTelemetry's libraries read nothing else.
  Object.assign(process.env, variables);
  const lines: Line[] = [];
  const written = new EventEmitter();
  const logger = pino(
    {},
    {
      write: (line: string) => {
        lines.push(JSON.parse(line) as Line);
        written.emit('line');
      },
    },
  );
  let service: Service;
  try {
    const tracing = await openTracing(process.env, '1.2.3', logger);
    service = await startService(serviceConfig({ models, tracing }), logger, () => {});
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
  }
  const client = new TestClient(service.grpcPort, 'siglip_hd.v1.VisualEncoderService');
  return {
    receiver,
    lines,
    client,
    url: `http://127.0.0.1:${service.httpPort}`,
    untilLine: async (is: (line: Line) => boolean) => {
      const signal = AbortSignal.timeout(60_000);
      while (!lines.some(is)) await once(written, 'line', { signal });
    },
    close: async () => {
      client.close();
      await service.close();
      if (!receiver.isClosed) await receiver.close();
    },
  };
}

const rootOf = (spans: readonly ReceivedSpan[], name: string) =>
  spans.find((span) => span.isServer && span.name === name);
const namesOf = (tree: string) => tree.split('\n').map((line) => line.slice(16));

test('loads nothing of OpenTelemetry where nothing asks for it', async () => {
  assert.equal(await openTracing({}, '1.2.3', pino({ level: 'silent' })), undefined);
  assert.deepEqual(loaded(), []);
});

test("sends every stage of a request over HTTP, as a part of its caller's trace", async (t) => {
  const { receiver, lines, url, close } = await traced('http/protobuf');
  try {
    const headers = { traceparent, 'x-request-id': 'mine' };
    const answer = await fetch(`${url}/anyres-encode?format=raw`, { method: 'POST', body: image, headers });
    assert.equal(answer.status, 200);
    await answer.arrayBuffer();
    const name = 'POST /v1/anyres-encode';
    await receiver.until((spans) => rootOf(spans, name) !== undefined);
    const { spans } = receiver;
    const root = rootOf(spans, name)!;
    assert.equal(root.traceId, traceId);
    assert.equal(root.parentSpanId, parentSpanId);
    const { 'client.address': peer, ...attributes } = root.attributes;
    assert.match(String(peer), /^127\.0\.0\.1:\d+$/);
    assert.deepEqual(attributes, {
      'http.request.method': 'POST',
      'http.response.status_code': 200,
      'http.route': '/v1/anyres-encode',
      'siglip_hd.request_id': 'mine',
      'siglip_hd.model': 'siglip-tiny',
      'siglip_hd.recipe': 'anyres',
      'siglip_hd.views': 3,
      'siglip_hd.image_sizes': '640x427',
      'siglip_hd.source': 'miss',
    });
    assert.equal(root.resource['service.name'], 'siglip-hd');
    assert.equal(root.resource['service.version'], '1.2.3');
    assert.equal(root.resource['deployment.environment.name'], 'test');

    const tree = traceTree(spans, root);
    t.diagnostic(`\n${tree}`);
    const passed = new Set(namesOf(tree).map((line) => line.trim()));
    const others: ReadonlySet<Stage> = new Set(['shared cache', 'joined', 'project']);
    const expected = stages.filter((stage) => !others.has(stage));
    assert.deepEqual(passed, new Set([name, 'batch (links: 1)', ...expected]));
    for (const span of spans) {
      assert.equal(span.traceId, traceId);
      assert.ok(span.startMs <= span.endMs, span.name);
      // Both ends of what is measured on another thread are known to a fraction of a millisecond.
      assert.ok(span.startMs > root.startMs - 1 && span.endMs < root.endMs + 1, span.name);
    }
    const batches = spans.filter((span) => span.name === 'batch');
    const views = batches.map(({ attributes: { 'siglip_hd.views': count } }) => Number(count));
    assert.equal(
      views.reduce((sum, count) => sum + count, 0),
      3,
    );
    for (const { links } of batches) assert.deepEqual(links, [{ traceId, spanId: root.spanId }]);
    const line = lines.find(({ request_id: id }) => id === 'mine');
    assert.equal(line?.['trace_id'], traceId);

    const printed =
      readFileSync('docs/tracing.md', 'utf8').split('```')[1]?.trim().split('\n').slice(1) ?? [];
    const shape = (text: readonly string[]) => new Set(text.map((each) => each.trim()));
    assert.deepEqual(shape(printed.map((each) => each.slice(16))), shape(namesOf(tree)));
  } finally {
    await close();
  }
});

test('sends calls, streamed requests and failures over gRPC', async () => {
  const { receiver, client, close } = await traced('grpc');
  try {
    const metadata = { traceparent };
    const { error } = await client.call<EncodeResponse>('Encode', { image: { file: image } }, { metadata });
    assert.equal(error, undefined);
    const failed = await client.call('TeacherEncode', {}, { metadata });
    assert.notEqual(failed.error, undefined);
    const service = 'siglip_hd.v1.VisualEncoderService';
    await receiver.until(
      (spans) =>
        rootOf(spans, `${service}/Encode`) !== undefined &&
        rootOf(spans, `${service}/TeacherEncode`) !== undefined,
    );
    const encode = rootOf(receiver.spans, `${service}/Encode`)!;
    assert.equal(encode.parentSpanId, parentSpanId);
    assert.equal(encode.attributes['rpc.response.status_code'], 'OK');
    assert.equal(encode.attributes['rpc.system.name'], 'grpc');
    const names = new Set(namesOf(traceTree(receiver.spans, encode)).map((line) => line.trim()));
    for (const stage of ['receive', 'header', 'decode', 'queue', 'engine', 'write'])
      assert.ok(names.has(stage), stage);
    const refused = rootOf(receiver.spans, `${service}/TeacherEncode`)!;
    assert.equal(refused.attributes['rpc.response.status_code'], 'INVALID_ARGUMENT');
    assert.equal(refused.attributes['error.type'], 'invalid_argument');
    assert.equal(refused.isError, false);
  } finally {
    await close();
  }
});

test('tells the images of a request apart', async () => {
  const { receiver, url, close } = await traced('http/protobuf');
  try {
    const body = new FormData();
    for (const name of ['rocket.jpg', 'coffee.png'])
      body.append('image', new Blob([new Uint8Array(imageBytes(name))]));
    for (const format of ['raw', 'jsonl']) {
      await (await fetch(`${url}/encode?format=${format}`, { method: 'POST', body })).arrayBuffer();
    }
    const roots = (spans: readonly ReceivedSpan[]) => spans.filter(({ isServer }) => isServer);
    await receiver.until((spans) => roots(spans).length === 2);
    for (const root of roots(receiver.spans)) {
      const decoded = receiver.spans.filter(
        ({ name, parentSpanId: parent }) => name === 'decode' && parent === root.spanId,
      );
      assert.deepEqual(
        decoded
          .map(({ attributes }) => attributes['siglip_hd.image'])
          .toSorted((a, b) => Number(a) - Number(b)),
        [0, 1],
      );
      const batch = receiver.spans.find(
        ({ name, links }) => name === 'batch' && links[0]?.spanId === root.spanId,
      );
      assert.equal(batch?.links.length, 1);
    }
  } finally {
    await close();
  }
});

test('sends nothing of what is not sampled, and names its trace in the log all the same', async () => {
  const { receiver, lines, url, close } = await traced('http/protobuf');
  try {
    const unsampled = { traceparent: `00-${traceId}-${parentSpanId}-00` };
    await (await fetch(`${url}/encode`, { method: 'POST', body: image, headers: unsampled })).arrayBuffer();
    await fetch(`${url}/readyz`);
    await (await fetch(`${url}/v1/models`)).text();
    await receiver.until((spans) => spans.length > 0);
    assert.deepEqual(
      receiver.spans.map(({ name }) => name),
      ['GET /v1/models'],
    );
    const line = lines.find(({ endpoint }) => endpoint === 'encode');
    assert.equal(line?.['trace_id'], traceId);
  } finally {
    await close();
  }
});

test('follows the sampler that the variables name', async () => {
  const { receiver, url, close } = await traced('http/protobuf', { OTEL_TRACES_SAMPLER: 'always_off' });
  await (await fetch(`${url}/v1/models`, { headers: { traceparent } })).text();
  await close();
  assert.deepEqual(receiver.spans, []);
});

test('sends what is left when it closes, and says once that a collector is gone', async () => {
  const first = await traced('http/protobuf', { OTEL_BSP_SCHEDULE_DELAY: '60000' });
  await (await fetch(`${first.url}/v1/models`)).text();
  await first.close();
  assert.equal(first.receiver.spans.length, 1);

  const gone = await traced('http/protobuf', { OTEL_EXPORTER_OTLP_TIMEOUT: '200' });
  await gone.receiver.close();
  for (let request = 0; request < 3; request++) await (await fetch(`${gone.url}/v1/models`)).text();
  const isOfTraces = ({ msg }: Line) => msg === 'traces';
  await gone.untilLine(isOfTraces);
  await (await fetch(`${gone.url}/v1/models`)).text();
  await gone.close();
  const said = gone.lines.filter(isOfTraces);
  assert.equal(said.length, 1);
  assert.match(String(said[0]?.['detail']), /ECONNREFUSED/);
});
