import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { test } from 'node:test';
import { status, type StatusObject } from '@grpc/grpc-js';
import { type ErrorCode, errorCodes, ServiceError } from '../../../src/errors/service-error.ts';
import { defaultGrpcLimits } from '../../../src/transport/grpc/limits.ts';
import { startGrpcServer } from '../../../src/transport/grpc/server.ts';
import { toTransferable } from '../../../src/threads/transfer.ts';
import { parseOptions } from '../../../src/transport/request-options.ts';
import { fired } from '../../support/fired.ts';
import { Gate } from '../../support/gate.ts';
import { until } from '../../support/until.ts';
import {
  type EncodeResponse,
  nextMessage,
  type PlanResponse,
  RawCaller,
  statusDetails,
} from '../../support/grpc-client.ts';
import { StubEncoder, stubByte, stubFailure } from '../../support/stub-encoder.ts';
import { stubModel } from '../../support/stub-model.ts';
import { budgetOf, file, type ObservedRequest, serve, service } from './stub-server.ts';

interface Reflected {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
}

const resolvePath = createRequire(import.meta.url).resolve;
const healthProto = resolvePath('grpc-health-check/proto/health/v1/health.proto');
const reflectionProto = resolvePath('@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto');

test('answers an Encode with its tokens, its metadata and its timings', async (t) => {
  const encoder = new StubEncoder();
  const { client } = await serve(t, encoder);
  const { response } = await client(service).call<EncodeResponse>('Encode', file);
  assert.ok(response);
  assert.deepEqual(response.tensor.shape, [1024, 24]);
  assert.equal(response.tensor.dtype, 'DTYPE_FLOAT16');
  assert.deepEqual(
    response.tensor.data,
    Buffer.from(Uint8Array.from({ length: 1024 * 24 * 2 }, (_, i) => stubByte(i))),
  );
  assert.deepEqual(response.metadata, {
    model: { name: 'stub', digest: stubModel.digest, trained: false },
    output: 'OUTPUT_FEATURES',
    projector: null,
    features: 'FEATURE_LAYER_LAST_HIDDEN_STATE',
    featureLayers: ['last_hidden_state'],
    classToken: false,
    precision: 'fp32',
    dtype: 'DTYPE_FLOAT16',
    shape: [1024, 24],
    grid: { width: 32, height: 32 },
    images: [{ width: 640, height: 427 }],
    recipe: 'RECIPE_ENCODE',
    views: 1,
    anyres: null,
    teacher: null,
  });
  assert.deepEqual(response.timings, {
    decodeMs: 1.5,
    viewsMs: 2.25,
    queueMs: 0,
    engineMs: 100.125,
    assembleMs: 0,
  });
  const [image] = encoder.requests[0]!.images;
  assert.deepEqual(image?.kind === 'file' && image.bytes, Buffer.from('an image'));
  assert.equal(encoder.requests[0]!.stacked, false);
});

test('joins the parts of a tensor of 4.7 MB exactly', async (t) => {
  const encoder = new StubEncoder({ channels: 1152 });
  encoder.partCount = 7;
  const { client } = await serve(t, encoder);
  const { response } = await client(service).call<EncodeResponse>('Encode', {
    ...file,
    options: { dtype: 'DTYPE_FLOAT32' },
  });
  assert.ok(response);
  assert.equal(response.tensor.data.byteLength, 1024 * 1152 * 4);
  assert.ok(response.tensor.data.every((byte, index) => byte === stubByte(index)));
});

test('answers a TeacherEncode of every option', async (t) => {
  const encoder = new StubEncoder();
  const { client } = await serve(t, encoder);
  const { response } = await client(service).call<EncodeResponse>('TeacherEncode', {
    ...file,
    options: { dtype: 'DTYPE_FLOAT32' },
    teacher: {
      scales: [512, 1536],
      weights: [1e-100, 2.5],
      fusion: 'FUSION_AVERAGE',
      windows: 'WINDOWS_HALF_OVERLAP',
      grid: { width: 37, height: 24 },
    },
  });
  assert.deepEqual(encoder.requests[0]!.recipe, {
    recipe: 'teacher',
    scales: [512, 1536],
    weights: [1e-100, 2.5],
    fusion: 'average',
    windows: 'half_overlap',
    grid: { width: 37, height: 24 },
  });
  assert.ok(response);
  const { tensor, metadata } = response;
  assert.deepEqual(tensor.shape, [37 * 24, 24]);
  assert.equal(tensor.data.byteLength, 37 * 24 * 24 * 4);
  assert.ok(tensor.data.every((byte, index) => byte === stubByte(index)));
  assert.equal(metadata.recipe, 'RECIPE_TEACHER');
  assert.equal(metadata.views, 26);
  assert.deepEqual(metadata.grid, { width: 37, height: 24 });
});

test('answers an AnyResEncode of every option, with its geometry', async (t) => {
  const encoder = new StubEncoder();
  encoder.fileSize = { width: 1218, height: 1722 };
  const { client } = await serve(t, encoder);
  const { response } = await client(service).call<EncodeResponse>('AnyResEncode', {
    ...file,
    anyres: {
      maxGrid: { columns: 2, rows: 3 },
      maxTiles: 0,
      assembly: 'ASSEMBLY_TILES',
      resample: 'RESAMPLE_BILINEAR',
    },
  });
  assert.deepEqual(encoder.requests[0]!.recipe, {
    recipe: 'anyres',
    maxGrid: { columns: 2, rows: 3 },
    maxTiles: 0,
    assembly: 'tiles',
    resample: 'bilinear',
  });
  assert.ok(response);
  assert.deepEqual(response.tensor.shape, [7, 1024, 24]);
  assert.equal(response.tensor.data.byteLength, 7 * 1024 * 24 * 2);
  assert.equal(response.metadata.recipe, 'RECIPE_ANYRES');
  assert.equal(response.metadata.views, 7);
  assert.deepEqual(response.metadata.shape, [7, 1024, 24]);
  assert.deepEqual(response.metadata.anyres, {
    tileGrid: { columns: 2, rows: 3 },
    baseTokens: 1024,
    unpad: { x: 0, y: 3, width: 64, height: 90 },
    spatial: { width: 64, height: 90 },
    newlines: 0,
    resized: false,
  });
});

test('options that are not set have their defaults', async (t) => {
  const encoder = new StubEncoder();
  const { client } = await serve(t, encoder);
  const caller = client(service);
  for (const [method, recipe] of [
    ['TeacherEncode', 'teacher'],
    ['AnyResEncode', 'anyres'],
  ] as const)
    for (const own of [{}, { [recipe]: {} }]) {
      encoder.requests.length = 0;
      await caller.call(method, { ...file, ...own });
      const defaults = parseOptions(recipe, {});
      assert.deepEqual(encoder.requests[0]!.recipe, defaults.recipe);
      assert.deepEqual(encoder.requests[0]!.options, defaults.options);
    }
});

const recipeRefusals: readonly [method: string, own: object, sentence: RegExp][] = [
  ['TeacherEncode', { teacher: { fusion: 9 } }, /fusion is "9".*average/],
  ['TeacherEncode', { teacher: { scales: [4_000_000_000] } }, /scales is "4000000000"/],
  ['TeacherEncode', { teacher: { grid: { width: 37 } } }, /37x0/],
  ['TeacherEncode', { teacher: { weights: [1, Number.NaN] } }, /weight NaN/],
  ['TeacherEncode', { teacher: { scales: [700] } }, /scale 700/],
  ['AnyResEncode', { anyres: { maxGrid: { columns: 4, rows: 1 } } }, /max_grid is "4x1"/],
  ['AnyResEncode', { anyres: { maxTiles: 100 } }, /max_tiles is "100"/],
  ['AnyResEncode', { anyres: { assembly: -1 } }, /assembly is "-1".*merge/],
];
for (const [method, own, sentence] of recipeRefusals)
  test(`refuses a ${method} with ${JSON.stringify(own)}`, async (t) => {
    const { client } = await serve(t, new StubEncoder());
    const { error, trailers } = await client(service).call(method, { ...file, ...own });
    assert.equal(error?.code, status.INVALID_ARGUMENT);
    assert.match(error.details, sentence);
    assert.equal(statusDetails(trailers).errorInfo?.reason, 'invalid_argument');
  });

test('plans what the encode call then answers, for each recipe', async (t) => {
  const encoder = new StubEncoder();
  const { client } = await serve(t, encoder);
  const caller = client(service);
  for (const [method, recipe, own] of [
    ['Encode', 'encode', {}],
    ['TeacherEncode', 'teacher', { scales: [512, 1024, 1536], fusion: 'FUSION_CONCAT' }],
    ['AnyResEncode', 'anyres', { maxTiles: 1 }],
  ] as const) {
    const options = { model: 'stub', dtype: 'DTYPE_FLOAT32' };
    const planned = await caller.call<PlanResponse>('Plan', {
      image: encoder.fileSize,
      options,
      [recipe]: own,
    });
    const { response } = await caller.call<EncodeResponse>(method, { ...file, options, [recipe]: own });
    assert.ok(planned.response && response);
    assert.deepEqual(planned.response.metadata, response.metadata);
    assert.equal(planned.response.sizeBytes, response.tensor.data.byteLength);
    assert.equal(planned.response.tokens, response.tensor.shape.at(-2));
  }
});

test('plans an answer of more than 4 GiB', async (t) => {
  const { client } = await serve(t, new StubEncoder({ channels: 300_000 }));
  const { response } = await client(service).call<PlanResponse>('Plan', {
    image: { width: 2000, height: 2000 },
    options: { dtype: 'DTYPE_FLOAT32' },
    anyres: { maxTiles: 0 },
  });
  assert.equal(response?.sizeBytes, response!.tokens * 300_000 * 4);
  assert.ok(response.sizeBytes > 2 ** 32);
});

for (const [name, request, sentence] of [
  ['without a size', { encode: {} }, /no size/],
  ['of no width', { image: { height: 3 }, encode: {} }, /0 x 3/],
  ['without a recipe', { image: { width: 3, height: 3 } }, /encode, teacher or anyres/],
  ['of nonsense', { image: { width: 3, height: 3 }, teacher: { windows: 7 } }, /windows is "7"/],
] as const)
  test(`refuses a plan ${name}`, async (t) => {
    const { client } = await serve(t, new StubEncoder());
    const { error, trailers } = await client(service).call('Plan', request);
    assert.match(error?.details ?? '', sentence);
    assert.equal(statusDetails(trailers).errorInfo?.reason, 'invalid_argument');
  });

test('passes every option to the encoder', async (t) => {
  const encoder = new StubEncoder();
  const { client } = await serve(t, encoder);
  await client(service).call('Encode', {
    ...file,
    options: {
      model: 'hd',
      expectDigest: stubModel.digest,
      expectFeatures: 'FEATURE_LAYER_PRE_NORM',
      expectProjectorDigest: stubModel.digest,
      output: 'OUTPUT_EMBEDDINGS',
      dtype: 'DTYPE_BFLOAT16',
      exif: 'EXIF_IGNORE',
    },
  });
  assert.deepEqual(encoder.requests[0]!.options, {
    model: 'hd',
    expectDigest: stubModel.digest,
    expectFeatures: ['pre_norm'],
    expectProjectorDigest: stubModel.digest,
    output: 'embeddings',
    dtype: 'bfloat16',
    exif: 'ignore',
  });
});

test('passes raw pixels to the encoder unchanged', async (t) => {
  const encoder = new StubEncoder();
  const { client } = await serve(t, encoder);
  const rgb = Buffer.from([1, 2, 3, 4, 5, 6]);
  await client(service).call('Encode', { image: { raw: { width: 2, height: 1, rgb } } });
  const [image] = encoder.requests[0]!.images;
  assert.ok(image?.kind === 'raster');
  const { width, height, data } = image.raster;
  assert.deepEqual([width, height, ...data], [2, 1, 1, 2, 3, 4, 5, 6]);
});

test('transfers an image to the decoding thread without a copy, unless it lies in a shared buffer', async (t) => {
  const encoder = new StubEncoder();
  const { client } = await serve(t, encoder);
  for (const [sizeBytes, isHandedOver] of [
    [100_000, true],
    [10, false],
  ] as const) {
    encoder.requests.length = 0;
    await client(service).call('Encode', { image: { file: Buffer.alloc(sizeBytes, 7) } });
    const [image] = encoder.requests[0]!.images;
    assert.ok(image?.kind === 'file');
    const { buffer } = image.bytes;
    const given = await toTransferable(image.bytes, image.ownsBuffer);
    assert.equal(given.buffer === buffer, isHandedOver);
    assert.deepEqual(Buffer.from(given), Buffer.alloc(sizeBytes, 7));
  }
});

const refusals: readonly [name: string, request: object, sentence: RegExp][] = [
  ['no image', {}, /image\.file, image\.raw or image\.digest/],
  ['an image that is neither file nor pixels', { image: {} }, /image\.file, image\.raw or image\.digest/],
  ['pixels of no width', { image: { raw: { width: 0, height: 3, rgb: Buffer.alloc(0) } } }, /0 x 3/],
  ['too few pixels', { image: { raw: { width: 2, height: 2, rgb: Buffer.alloc(11) } } }, /11 bytes.*take 12/],
  ['a dtype that does not exist', { ...file, options: { dtype: 9 } }, /dtype is "9".*float16/],
  ['an EXIF mode that does not exist', { ...file, options: { exif: -1 } }, /exif is "-1".*apply/],
  ['a feature layer that does not exist', { ...file, options: { expectFeatures: 4 } }, /expect_features/],
  ['half a digest', { ...file, options: { expectDigest: 'sha256:12' } }, /expect_digest/],
];
for (const [name, request, sentence] of refusals)
  test(`refuses ${name} with invalid_argument`, async (t) => {
    const encoder = new StubEncoder();
    const { client } = await serve(t, encoder);
    const { error, trailers } = await client(service).call('Encode', request);
    assert.equal(error?.code, status.INVALID_ARGUMENT);
    assert.match(error.details, sentence);
    assert.equal(statusDetails(trailers).errorInfo?.reason, 'invalid_argument');
    assert.equal(encoder.requests.length, 0);
  });

test('refuses bytes that are not a request with invalid_argument', async (t) => {
  const encoder = new StubEncoder();
  const { client, server } = await serve(t, encoder);
  const raw = new RawCaller(server.port);
  t.after(() => raw.close());
  for (const method of ['Encode', 'TeacherEncode', 'AnyResEncode', 'Plan'])
    for (const bytes of [Buffer.from([0x0a, 0xff]), Buffer.from('not protobuf')]) {
      const { code, details } = await raw.call(`/${service}/${method}`, bytes);
      assert.equal(code, status.INVALID_ARGUMENT);
      assert.ok(details.includes(`siglip_hd.v1.${method}Request`), details);
    }
  assert.equal((await client(service).call('Encode', file)).error, undefined);
});

test('answers UNIMPLEMENTED to an unknown method', async (t) => {
  const { server } = await serve(t, new StubEncoder());
  const raw = new RawCaller(server.port);
  t.after(() => raw.close());
  assert.equal((await raw.call(`/${service}/Decode`, Buffer.alloc(0))).code, status.UNIMPLEMENTED);
});

const expectedStatus: Record<ErrorCode, keyof typeof status> = {
  invalid_argument: 'INVALID_ARGUMENT',
  unauthenticated: 'UNAUTHENTICATED',
  not_found: 'NOT_FOUND',
  not_acceptable: 'INVALID_ARGUMENT',
  failed_precondition: 'FAILED_PRECONDITION',
  too_large: 'INVALID_ARGUMENT',
  unsupported_media: 'INVALID_ARGUMENT',
  overloaded: 'RESOURCE_EXHAUSTED',
  cancelled: 'CANCELLED',
  deadline_exceeded: 'DEADLINE_EXCEEDED',
  unavailable: 'UNAVAILABLE',
  internal: 'INTERNAL',
};

/** Failures after which the same request may succeed; the stub says no time to wait. */
const isPassing = (code: string) => code === 'overloaded' || code === 'unavailable';

test('answers every error code with its status, its ErrorInfo and its sentence, and never the cause', async (t) => {
  const encoder = new StubEncoder();
  const { client, observed } = await serve(t, encoder);
  const caller = client(service);
  for (const code of errorCodes) {
    encoder.failure = stubFailure(code);
    const { error, trailers } = await caller.call('Encode', file);
    assert.equal(error?.code, status[expectedStatus[code]], code);
    assert.equal(error.details, `Failed with ${code}, on purpose.`);
    assert.deepEqual(statusDetails(trailers), {
      code: error.code,
      message: error.details,
      errorInfo: { reason: code, domain: 'siglip-hd' },
      retryDelayMs: isPassing(code) ? 1000 : undefined,
    });
    assert.ok(!JSON.stringify(trailers.toJSON()).includes('secret'));
  }
  assert.deepEqual(
    observed.map(({ code }) => code),
    errorCodes,
  );
});

test('says when to retry', async (t) => {
  const encoder = new StubEncoder();
  const { client } = await serve(t, encoder);
  const caller = client(service);
  for (const [retryAfterMs, expectedMs] of [
    [0, 0],
    [250, 250],
    [2000, 2000],
    [61_234.5, 61_235],
  ] as const) {
    encoder.failure = new ServiceError('overloaded', 'No room.', { retryAfterMs });
    const { trailers } = await caller.call('Encode', file);
    assert.equal(statusDetails(trailers).retryDelayMs, expectedMs);
  }
});

test('answers an unexpected error as internal, and logs it as the cause', async (t) => {
  const encoder = new StubEncoder();
  encoder.failure = new TypeError('a secret');
  const { client, lines } = await serve(t, encoder);
  const { error } = await client(service).call('Encode', file);
  assert.equal(error?.code, status.INTERNAL);
  assert.ok(!error.message.includes('secret'));
  assert.equal(lines[0]!.level, 'error');
  assert.equal(lines[0]!.fields.err, encoder.failure);
});

test('fires the signal with cancelled when the client leaves', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { client, observations } = await serve(t, encoder);
  const observed = once(observations, 'request');
  const leaving = new AbortController();
  const call = client(service).call('Encode', file, { signal: leaving.signal });
  await encoder.arrival.passed();
  const { signal } = encoder.requests[0]!;
  assert.equal(signal.aborted, false);
  leaving.abort();
  await fired(signal);
  assert.equal((signal.reason as ServiceError).code, 'cancelled');
  assert.equal((await call).error?.code, status.CANCELLED);
  const [request] = (await observed) as [ObservedRequest];
  assert.equal(request.code, 'cancelled');
});

test('fires the signal with deadline_exceeded when the deadline passes', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { client } = await serve(t, encoder);
  const caller = client(service);
  await caller.connected();
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() });
  const call = caller.call('Encode', file, { deadline: Date.now() + 300 });
  await encoder.arrival.passed();
  const { signal } = encoder.requests[0]!;
  assert.equal(signal.aborted, false);
  t.mock.timers.tick(300);
  await fired(signal);
  assert.equal((signal.reason as ServiceError).code, 'deadline_exceeded');
  assert.equal((await call).error?.code, status.DEADLINE_EXCEEDED);
});

test('accepts a deadline of many days', async (t) => {
  const { client } = await serve(t, new StubEncoder());
  const days = (count: number) => Date.now() + count * 86_400_000;
  const far = [days(24), days(30), days(3000), days(100_000)];
  const calls = await Promise.all(far.map((deadline) => client(service).call('Encode', file, { deadline })));
  assert.deepEqual(
    calls.map(({ error }) => error),
    far.map(() => undefined),
  );
});

test('does not fire the signal after the answer', async (t) => {
  const encoder = new StubEncoder();
  const { client, server } = await serve(t, encoder);
  await client(service).call('Encode', file, { deadline: Date.now() + 60_000 });
  await server.close();
  assert.equal(encoder.requests[0]!.signal.aborted, false);
});

test('returns a request id in the headers of an answer and the trailers of a failure', async (t) => {
  const encoder = new StubEncoder();
  const { client, lines } = await serve(t, encoder);
  const caller = client(service);
  const given = await caller.call('Encode', file, { metadata: { 'x-request-id': 'caller-7' } });
  assert.deepEqual(given.headers?.get('x-request-id'), ['caller-7']);
  const made = await caller.call('Encode', file);
  assert.match(String(made.headers?.get('x-request-id')[0]), /^[0-9a-f-]{36}$/);
  const tooLong = await caller.call('Encode', file, { metadata: { 'x-request-id': 'x'.repeat(129) } });
  assert.match(String(tooLong.headers?.get('x-request-id')[0]), /^[0-9a-f-]{36}$/);
  const failed = await caller.call('Encode', {}, { metadata: { 'x-request-id': 'caller-8' } });
  assert.deepEqual(failed.trailers.get('x-request-id'), ['caller-8']);
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields.code, fields.endpoint]),
    [
      ['info', 'ok', 'encode'],
      ['info', 'ok', 'encode'],
      ['info', 'ok', 'encode'],
      ['info', 'invalid_argument', 'encode'],
    ],
  );
  assert.equal(lines[3]!.fields.request_id, 'caller-8');
});

test('refuses a message over the limit as too large, and goes on', async (t) => {
  const encoder = new StubEncoder();
  const { client, lines } = await serve(t, encoder, { maxRequestBytes: 100_000 });
  const caller = client(service);
  const { error } = await caller.call('Encode', { image: { file: Buffer.alloc(100_001) } });
  assert.equal(error?.code, status.INVALID_ARGUMENT);
  assert.match(
    error.details,
    /^The message has 100,[0-9]+ bytes; the limit is 100,000 \(--max-body-bytes\)\.$/,
  );
  assert.equal(lines[0]?.fields.code, 'too_large');
  assert.equal((await caller.call('Encode', file)).error, undefined);
  assert.equal(encoder.requests.length, 1);
});

test('refuses messages that do not fit, and accepts others once those before are encoded', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { server, client } = await serve(t, encoder, { waitMs: 20 }, { messageBudget: budgetOf(150) });
  const caller = client(service);
  const request = { image: { file: Buffer.alloc(100) } };
  const held = caller.call<EncodeResponse>('Encode', request);
  await encoder.arrival.passed();
  assert.equal(server.underWay, 1);
  const { error } = await caller.call<EncodeResponse>('TeacherEncode', request);
  assert.deepEqual([error?.code, error?.details], [status.RESOURCE_EXHAUSTED, 'No room.']);
  assert.deepEqual(error?.metadata.get('grpc-retry-pushback-ms'), ['70']);
  encoder.gate.open();
  assert.equal((await held).error, undefined);
  assert.equal((await caller.call<EncodeResponse>('Encode', request)).error, undefined);
  const broken = await caller.call<EncodeResponse>('Encode', {});
  assert.equal(broken.error?.code, status.INVALID_ARGUMENT);
  assert.equal(server.underWay, 0);
});

test('a client can send 256 KiB of a picture without a round trip', async (t) => {
  const { server } = await serve(t, new StubEncoder());
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  t.after(() => session.destroy());
  await once(session, 'remoteSettings');
  const { maxConcurrentStreams, initialWindowSize } = session.remoteSettings;
  assert.deepEqual([maxConcurrentStreams, initialWindowSize], [128, 2 ** 18]);
  await until(() => session.state.remoteWindowSize === 4 * 2 ** 20);
});

test('a drain ends connections that their clients keep open, but not before the calls under way are answered', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { server, client } = await serve(t, encoder, { drainLingerMs: 20 });
  const answered = client(service).call<EncodeResponse>('Encode', file);
  await encoder.arrival.passed();
  // node:http2's client would close its side when it is told that the server goes.
  const idle = connect(server.port, '127.0.0.1');
  idle.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
  await once(idle, 'data');
  idle.resume();
  let drained = false;
  const draining = server.drain().then(() => {
    drained = true;
  });
  await once(idle, 'end');
  assert.equal(drained, false);
  encoder.gate.open();
  assert.equal((await answered).error, undefined);
  await draining;
});

test('closes connections beyond the limit at once, and leaves the others alone', async (t) => {
  const { server, client } = await serve(t, new StubEncoder(), { maxConnections: 1 });
  const first = client(service);
  assert.equal((await first.call<EncodeResponse>('Encode', file)).error, undefined);
  const second = connect(server.port, '127.0.0.1');
  await once(second, 'close');
  assert.equal((await first.call<EncodeResponse>('Encode', file)).error, undefined);
});

test('refuses new calls on a connection that does not read its answers, and on no other', async (t) => {
  const { client, server } = await serve(t, new StubEncoder({ channels: 1152 }), { maxSessionMiB: 8 });
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  t.after(() => session.destroy());
  const refused = new Promise<number>((resolve) => {
    const callNext = (already: number): void => {
      const stream = session.request({
        ':method': 'POST',
        ':path': `/${service}/Encode`,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      // Never read: 2.4 MB wait behind a window of 64 KiB.
      stream.pause();
      stream.on('response', () => callNext(already + 1));
      stream.on('error', () => {
        assert.equal(stream.rstCode, constants.NGHTTP2_ENHANCE_YOUR_CALM);
        resolve(already);
      });
      stream.end(Buffer.from([0, 0, 0, 0, 5, 0x0a, 3, 0x0a, 1, 0x55]));
    };
    callNext(0);
  });
  assert.equal(await refused, 4);
  assert.equal((await client(service).call('Encode', file)).error, undefined);
});

test('lists the served models, the default first', async (t) => {
  const { client } = await serve(t, new StubEncoder());
  const { response } = await client(service).call<{ models: Record<string, unknown>[] }>('ListModels', {});
  assert.deepEqual(
    response?.models.map(({ name }) => name),
    ['stub', 'second'],
  );
  const { folder: _, towerDigest: __, ...told } = stubModel;
  assert.deepEqual(response.models[0], {
    ...told,
    features: 'FEATURE_LAYER_LAST_HIDDEN_STATE',
    featureLayers: ['last_hidden_state'],
    classToken: false,
    pooledChannels: 0,
    projector: null,
    anyres: null,
  });
});

test('lists and describes its services by reflection', async (t) => {
  const { client } = await serve(t, new StubEncoder());
  const stream = client('grpc.reflection.v1.ServerReflection', reflectionProto).duplex<Reflected>(
    'ServerReflectionInfo',
  );
  stream.write({ listServices: '' });
  const { listServicesResponse } = await nextMessage<Reflected>(stream);
  assert.deepEqual(listServicesResponse?.service.map(({ name }) => name).sort(), [
    'grpc.health.v1.Health',
    'inference.GRPCInferenceService',
    service,
  ]);
  const described = {
    [service]: ['EncodeRequest', 'Tensor', 'DTYPE_BFLOAT16'],
    'inference.GRPCInferenceService': ['ModelInferRequest', 'RepositoryIndexRequest'],
    'grpc.health.v1.Health': ['HealthCheckRequest', 'NOT_SERVING'],
  };
  for (const [symbol, names] of Object.entries(described)) {
    stream.write({ fileContainingSymbol: symbol });
    const { fileDescriptorResponse } = await nextMessage<Reflected>(stream);
    const files = Buffer.concat(fileDescriptorResponse?.fileDescriptorProto ?? []).toString('latin1');
    for (const name of names) assert.ok(files.includes(name), `${symbol} without ${name}`);
  }
  stream.end();
  await once(stream, 'end');
});

test('reports the health of the encoder to checks and watches', async (t) => {
  const encoder = new StubEncoder();
  encoder.isReady = false;
  const { client } = await serve(t, encoder);
  const health = client('grpc.health.v1.Health', healthProto);
  const watch = health.stream<{ status: string }>('Watch', { service });
  assert.equal((await nextMessage(watch)).status, 'NOT_SERVING');
  const change = nextMessage(watch);
  encoder.isReady = true;
  for (const name of ['', service]) {
    const { response } = await health.call<{ status: string }>('Check', { service: name });
    assert.equal(response?.status, 'SERVING', name);
  }
  assert.equal((await change).status, 'SERVING');
  const lost = nextMessage(watch);
  encoder.isReady = false;
  assert.equal((await lost).status, 'NOT_SERVING');
  const unknown = await health.call('Check', { service: 'another' });
  assert.equal(unknown.error?.code, status.NOT_FOUND);
});

test('a drain answers what is under way, ends watches and accepts nothing new', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { client, server } = await serve(t, encoder);
  const caller = client(service);
  const call = caller.call<EncodeResponse>('Encode', file);
  const watch = client('grpc.health.v1.Health', healthProto).stream<{ status: string }>('Watch', { service });
  await nextMessage(watch);
  const told = nextMessage(watch);
  const ended = new Promise<StatusObject>((resolve) => watch.once('status', resolve));
  await encoder.arrival.passed();

  const drained = server.drain();
  assert.equal((await told).status, 'NOT_SERVING');
  assert.equal((await ended).code, status.UNAVAILABLE);
  const refused = await once(connect(server.port, '127.0.0.1'), 'connect').then(
    () => false,
    () => true,
  );
  assert.ok(refused);
  encoder.gate.open();
  assert.equal((await call).error, undefined);
  await drained;
  assert.equal(encoder.requests.length, 1);
});

test('closing the server ends calls under way and fires their signals', async (t) => {
  const encoder = new StubEncoder();
  encoder.gate = new Gate();
  const { client, server } = await serve(t, encoder);
  const call = client(service).call('Encode', file);
  await encoder.arrival.passed();
  const stopped = fired(encoder.requests[0]!.signal);
  await server.close();
  await stopped;
  assert.ok((await call).error);
});

test('does not start if the port is taken', async (t) => {
  const { server } = await serve(t, new StubEncoder());
  await assert.rejects(
    startGrpcServer({
      encoder: new StubEncoder(),
      host: '127.0.0.1',
      port: server.port,
      limits: defaultGrpcLimits,
      logger: console,
      metrics: { observeRequest: () => undefined },
    }),
    {
      code: 'failed_precondition',
      message: `Port ${server.port} on 127.0.0.1 is in use; choose another with --grpc-port.`,
    },
  );
});
