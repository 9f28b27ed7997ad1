// One table of what clients of the Open Inference Protocol send, and what they are told, over both transports.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ErrorCode } from '../../src/errors/service-error.ts';
import { grpcStatus } from '../../src/transport/grpc/status.ts';
import { problemKinds } from '../../src/transport/http/problem.ts';
import { imageBytes } from '../support/golden.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';
import {
  type Asked,
  getJson,
  type Input,
  key,
  overGrpc,
  overHttp,
  rawBytes,
  type Served,
  startOpenInference,
  told,
} from './open-inference.ts';

const side = 128;
/** 1 x 1 pixel of PNG. */
const smallPicture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC',
  'base64',
);
const rocket = imageBytes('rocket.jpg');
const coffee = imageBytes('coffee.png');
const pixelsOf = (count: number, width = side, height = side) =>
  Buffer.from(Array.from({ length: count * width * height * 3 }, (_, index) => (index * 37) % 256));

const files = (...images: readonly Buffer[]): Input => ({
  name: 'image',
  datatype: 'BYTES',
  shape: [images.length],
  raw: rawBytes(...images),
});
const pixels = (count: number, more: Partial<Input> = {}): Input => ({
  name: 'pixels',
  datatype: 'UINT8',
  shape: [count, side, side, 3],
  raw: pixelsOf(count),
  ...more,
});
const { raw: _raw, ...bare } = pixels(1);
const small = { ...bare, shape: [1, 4, 4, 3] };
const unreadable = { ...small, data: [0, 300], contents: { uintContents: [0, 300] } };

interface Case extends Asked {
  readonly what: string;
  readonly answer: ErrorCode | 'ok';
  readonly says?: RegExp;
  /** The tokens of the answer. */
  readonly shape?: readonly number[];
  readonly datatype?: string;
  /** Whether only encoding finds what is wrong. */
  readonly isFoundLate?: true;
}

const cases: readonly Case[] = [
  { what: 'a file', inputs: [files(rocket)], answer: 'ok', shape: [1, 64, 32] },
  {
    what: 'a file in a shape of [1, 1]',
    inputs: [{ ...files(rocket), shape: [1, 1] }],
    answer: 'ok',
    shape: [1, 64, 32],
  },
  {
    what: 'two files, by version and output',
    version: '1',
    outputs: ['tokens'],
    inputs: [files(rocket, coffee)],
    answer: 'ok',
    shape: [2, 64, 32],
  },
  {
    what: 'a large file and a small one that shares its message',
    inputs: [files(imageBytes('coffee.png'), smallPicture)],
    answer: 'ok',
    shape: [2, 64, 32],
  },
  { what: 'pixels', inputs: [pixels(1)], answer: 'ok', shape: [1, 64, 32] },
  { what: 'a batch of eight', inputs: [pixels(8)], answer: 'ok', shape: [8, 64, 32] },
  {
    what: 'pixels of another size than the model takes',
    inputs: [pixels(1, { shape: [1, 40, 90, 3], raw: pixelsOf(1, 90, 40) })],
    answer: 'ok',
    shape: [1, 64, 32],
  },
  {
    what: 'pixels that are not sent raw',
    inputs: [{ ...small, data: [...pixelsOf(1, 4, 4)], contents: { uintContents: [...pixelsOf(1, 4, 4)] } }],
    answer: 'ok',
    shape: [1, 64, 32],
  },
  {
    what: 'a file that is not sent raw',
    inputs: [
      {
        name: 'image',
        datatype: 'BYTES',
        shape: [1],
        data: [rocket.toString('base64')],
        contents: { bytesContents: [rocket] },
      },
    ],
    answer: 'ok',
    shape: [1, 64, 32],
  },
  {
    what: 'float32',
    inputs: [files(rocket)],
    parameters: { dtype: 'float32' },
    answer: 'ok',
    shape: [1, 64, 32],
    datatype: 'FP32',
  },
  {
    what: 'a teacher of two scales',
    inputs: [files(rocket)],
    parameters: { recipe: 'teacher', scales: '128,256' },
    answer: 'ok',
    shape: [1, 64, 32],
  },
  {
    what: 'AnyRes',
    inputs: [files(rocket)],
    parameters: { recipe: 'anyres', max_tiles: 1 },
    answer: 'ok',
  },
  {
    what: 'a priority and a timeout of the protocol',
    inputs: [files(rocket)],
    parameters: { priority: 2, timeout: 60_000_000 },
    answer: 'ok',
    shape: [1, 64, 32],
  },
  {
    what: 'a timeout of a microsecond',
    inputs: [files(rocket)],
    parameters: { timeout: 1 },
    answer: 'deadline_exceeded',
    isFoundLate: true,
  },
  { what: 'no key', key: '', inputs: [files(rocket)], answer: 'unauthenticated', says: /key/ },
  {
    what: 'an unknown model',
    model: 'other',
    inputs: [files(rocket)],
    answer: 'not_found',
    says: /No model "other".*tiny/,
  },
  {
    what: 'an unknown version',
    version: '2',
    inputs: [files(rocket)],
    answer: 'not_found',
    says: /its only version is 1/,
  },
  {
    what: 'an unknown input',
    inputs: [{ ...files(rocket), name: 'input' }],
    answer: 'invalid_argument',
    says: /no input "input"; its inputs are image, pixels/,
  },
  {
    what: 'an unknown output',
    inputs: [files(rocket)],
    outputs: ['logits'],
    answer: 'invalid_argument',
    says: /no output "logits"; its only output is tokens\./,
  },
  {
    what: 'embeddings of a model without a projector',
    inputs: [files(rocket)],
    outputs: ['embeddings'],
    answer: 'invalid_argument',
    says: /only output is tokens/,
  },
  { what: 'no input', inputs: [], answer: 'invalid_argument', says: /no input/ },
  {
    what: 'both inputs',
    inputs: [files(rocket), pixels(1)],
    answer: 'invalid_argument',
    says: /2 inputs; send one/,
  },
  {
    what: 'two inputs whose data cannot be read',
    inputs: [unreadable, unreadable],
    answer: 'invalid_argument',
    says: /2 inputs; send one/,
  },
  {
    what: 'files of the wrong datatype',
    inputs: [{ ...files(rocket), datatype: 'UINT8' }],
    answer: 'invalid_argument',
    says: /"UINT8"; it must be BYTES/,
  },
  {
    what: 'pixels of the wrong datatype',
    inputs: [pixels(1, { datatype: 'FP32' })],
    answer: 'invalid_argument',
    says: /"FP32"; it must be UINT8/,
  },
  {
    what: 'pixels with their channels first',
    inputs: [pixels(1, { shape: [1, 3, side, side] })],
    answer: 'invalid_argument',
    says: /\[n, height, width, 3\]/,
  },
  {
    what: 'a shape that has more elements than the data',
    inputs: [pixels(1, { shape: [2, side, side, 3] })],
    answer: 'invalid_argument',
    says: /49152 bytes; the shape \[2, 128, 128, 3\] takes 98304/,
  },
  {
    what: 'a negative side',
    inputs: [pixels(1, { shape: [-1, side, side, 3] })],
    answer: 'invalid_argument',
    says: /whole number from 1 to 4294967295/,
  },
  {
    what: 'a side that is too large',
    inputs: [pixels(1, { shape: [1, '4611686018427387904', '4611686018427387904', 3] })],
    answer: 'invalid_argument',
    says: /every side must be a whole number from 1 to 4294967295/,
  },
  {
    what: 'a shape whose product is beyond every length',
    inputs: [pixels(1, { shape: [1, 4_000_000_000, 4_000_000_000, 3] })],
    answer: 'invalid_argument',
    says: /takes 48000000000000000000\./,
  },
  {
    what: 'a batch over the limit',
    inputs: [pixels(9, { raw: pixelsOf(9) })],
    answer: 'too_large',
    says: /9 images; at most 8/,
  },
  {
    what: 'BYTES that are cut off',
    inputs: [{ ...files(rocket), raw: rawBytes(rocket).subarray(0, -1) }],
    answer: 'invalid_argument',
    says: /cut off in element 0 of 1/,
  },
  {
    what: 'BYTES whose length is cut off',
    inputs: [{ ...files(rocket), shape: [2], raw: Buffer.concat([rawBytes(rocket), Buffer.from([1, 0])]) }],
    answer: 'invalid_argument',
    says: /cut off in element 1 of 2/,
  },
  {
    what: 'more BYTES than the shape has',
    inputs: [{ ...files(rocket, coffee), shape: [1] }],
    answer: 'invalid_argument',
    says: /after its 1 elements/,
  },
  {
    what: 'an empty file',
    inputs: [files(Buffer.alloc(0))],
    answer: 'invalid_argument',
    says: /Element 0.*empty/,
  },
  {
    what: 'a file that is no image',
    inputs: [files(Buffer.from('hello, world'))],
    answer: 'invalid_argument',
    isFoundLate: true,
    says: /image/,
  },
  {
    what: 'another count of raw tensors than of inputs',
    inputs: [files(rocket)],
    moreRaw: Buffer.from('more'),
    answer: 'invalid_argument',
    says: /1 inputs and 2 raw_input_contents|4 ?.*binary_data_size|follow the JSON/,
  },
  { what: 'an input without data', inputs: [bare], answer: 'invalid_argument', says: /has no data/ },
  {
    what: 'numbers that are no pixels',
    inputs: [{ ...small, data: [0.5, 300], contents: { fp32Contents: [0.5, 300] } }],
    answer: 'invalid_argument',
    says: /holds (?:fp32_contents|numbers that are fractions, negative or above 255); it takes whole numbers from 0 to 255/,
  },
  {
    what: 'an unknown parameter',
    inputs: [files(rocket)],
    parameters: { dtyp: 'float32' },
    answer: 'invalid_argument',
    says: /^Unknown parameter "dtyp"\. Did you mean "dtype"\? The parameters are recipe, priority, timeout, binary_data_output, expect_digest, /,
  },
  {
    what: 'a parameter of another recipe',
    inputs: [files(rocket)],
    parameters: { scales: '128,256' },
    answer: 'invalid_argument',
    says: /"scales" is a parameter of recipe=teacher, not of recipe=encode/,
  },
  {
    what: 'an unknown value of a parameter',
    inputs: [files(rocket)],
    parameters: { dtype: 'float64' },
    answer: 'invalid_argument',
    says: /^Parameter dtype is "float64"; it must be one of/,
  },
  {
    what: 'an unknown priority',
    inputs: [files(rocket)],
    parameters: { priority: 'high' },
    answer: 'invalid_argument',
    says: /parameter priority is "high"; it must be interactive or bulk, or a number: 0 and 1 are interactive/,
  },
  {
    what: 'two images of AnyRes',
    inputs: [files(rocket, coffee)],
    parameters: { recipe: 'anyres' },
    answer: 'invalid_argument',
    says: /^AnyRes answers differ in length: send one image in each request\.$/,
  },
  {
    what: 'more parameters than a request may have',
    inputs: [files(rocket)],
    parameters: Object.fromEntries(Array.from({ length: 1025 }, (_, index) => [`parameter${index}`, true])),
    answer: 'invalid_argument',
    says: /over 1024 parameters/,
  },
  { what: 'an id of 1,024 characters', id: 'i'.repeat(1024), inputs: [files(rocket)], answer: 'ok' },
  {
    what: 'a longer id',
    id: 'i'.repeat(1025),
    inputs: [files(rocket)],
    answer: 'invalid_argument',
    says: /id has over 1024 characters; send a shorter one/,
  },
  {
    what: 'an unknown recipe',
    inputs: [files(rocket)],
    parameters: { recipe: 'decode' },
    answer: 'invalid_argument',
    says: /encode, teacher, anyres/,
  },
];

const scratch = scratchFolder();
let served: Served & { readonly close: () => Promise<void> };
before(async () => {
  const folder = await importFixture(scratch.path, 'siglip-tiny', { imageSize: side });
  served = await startOpenInference([{ name: 'tiny', folder }]);
});
after(async () => {
  await served.close();
  scratch.remove();
});

for (const each of cases) {
  test(`HTTP and gRPC answer ${each.what} alike`, async () => {
    const [http, grpc] = [await overHttp(served, each), await overGrpc(served, each)];
    assert.equal(http.code, each.answer, http.detail);
    assert.equal(grpc.code, each.answer, grpc.detail);
    for (const { detail } of [http, grpc]) if (each.says !== undefined) assert.match(detail, each.says);
    if (each.answer !== 'ok') {
      assert.equal(http.status, problemKinds[each.answer].status);
      assert.equal(grpc.status, grpcStatus(each.answer));
      return;
    }
    const [tensor] = http.tensors!;
    const id = each.id ?? '7';
    assert.deepEqual([http.id, grpc.id], [id, id]);
    assert.deepEqual([http.tensors!.length, tensor!.name], [1, 'tokens']);
    assert.equal(tensor!.datatype, each.datatype ?? 'FP16');
    if (each.shape !== undefined) assert.deepEqual(tensor!.shape, each.shape);
    assert.deepEqual(grpc.tensors, http.tensors);
    assert.deepEqual(grpc.parameters, http.parameters);
  });
}

test('a request for JSON is told what is wrong with it before it is told that JSON cannot hold FP16', async () => {
  for (const each of cases) {
    if (each.answer === 'ok' || each.isFoundLate) continue;
    const [json, binary] = [await overHttp(served, each, false), await overHttp(served, each)];
    assert.deepEqual([json.code, json.detail], [binary.code, binary.detail], each.what);
  }
});

test('an image as the whole body, without the header that says so, is told of the header', async () => {
  const refused = await fetch(`${served.url}/v2/models/tiny/infer`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'image/jpeg' },
    body: rocket,
  });
  const { code, detail } = await told(refused);
  assert.equal(code, 'invalid_argument');
  assert.match(detail, /an image file\. .* add the header Inference-Header-Content-Length: 0\.$/);
});

test('the tokens are those of /v1/encode, whichever way they are asked for', async () => {
  const answer = await fetch(`${served.url}/v1/encode?format=raw`, {
    method: 'POST',
    headers: { 'x-api-key': key },
    body: rocket,
  });
  const tokens = Buffer.from(await answer.arrayBuffer());
  const alone = await fetch(`${served.url}/v2/models/tiny/infer`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'inference-header-content-length': '0' },
    body: rocket,
  });
  for (const { tensors } of [await overHttp(served, { inputs: [files(rocket)] }), await told(alone)]) {
    assert.deepEqual(tensors![0]!.bytes, tokens);
  }
});

test('FP16 is refused as JSON, with what to ask for instead; FP32 is the same as JSON and as binary data', async () => {
  const refused = await overHttp(served, { inputs: [files(rocket)] }, false);
  assert.equal(refused.code, 'invalid_argument');
  assert.match(refused.detail, /FP16 cannot be sent as JSON: request binary data.*dtype=float32/);
  const asked = { inputs: [files(rocket)], parameters: { dtype: 'float32' } };
  const [json, binary] = [await overHttp(served, asked, false), await overHttp(served, asked)];
  assert.equal(json.tensors![0]!.datatype, 'FP32');
  assert.deepEqual(json.tensors, binary.tensors);
});

test("an output's own binary_data counts before the request's", async () => {
  const body = (isBinary: boolean) =>
    JSON.stringify({
      parameters: { binary_data_output: !isBinary, dtype: 'float32' },
      inputs: [{ name: 'image', datatype: 'BYTES', shape: [1], data: [rocket.toString('base64')] }],
      outputs: [{ name: 'tokens', parameters: { binary_data: isBinary } }],
    });
  for (const isBinary of [true, false]) {
    const answer = await fetch(`${served.url}/v2/models/tiny/infer`, {
      method: 'POST',
      headers: { 'x-api-key': key },
      body: body(isBinary),
    });
    assert.equal(answer.headers.has('inference-header-content-length'), isBinary);
    assert.equal((await told(answer)).code, 'ok');
  }
});

test('a gzipped body is decompressed, up to the limit of a body', async () => {
  const head = Buffer.from(
    JSON.stringify({
      parameters: { binary_data_output: true },
      inputs: [{ name: 'pixels', datatype: 'UINT8', shape: [1, side, side, 3], data: [...pixelsOf(1)] }],
    }),
  );
  const post = (body: Buffer) =>
    fetch(`${served.url}/v2/models/tiny/infer`, {
      method: 'POST',
      headers: { 'x-api-key': key, 'content-encoding': 'gzip' },
      body,
    });
  const plain = await overHttp(served, { inputs: [pixels(1)] });
  assert.deepEqual((await told(await post(gzipSync(head)))).tensors, plain.tensors);
  assert.equal((await told(await post(gzipSync(Buffer.alloc(4_000_000, ' '))))).code, 'too_large');
  assert.equal((await told(await post(head))).code, 'invalid_argument');
});

test('pixels as nested lists of JSON, long enough for the JSON thread, are the pixels', async () => {
  const count = 4;
  const flat = [...pixelsOf(count)];
  const rows = Array.from({ length: flat.length / 3 }, (_, index) => flat.slice(3 * index, 3 * index + 3));
  const nested = Array.from({ length: count }, (_, index) =>
    rows.slice(index * side * side, (index + 1) * side * side),
  );
  const { raw: _, ...input } = pixels(count);
  const json = await overHttp(served, { inputs: [{ ...input, data: nested }] });
  assert.deepEqual(json.tensors, (await overHttp(served, { inputs: [pixels(count)] })).tensors);
});

test('a client cannot refer to the numbers of another input, in a small body or a large one', async () => {
  for (const width of [4, 400]) {
    const { raw: _, ...input } = pixels(1, { shape: [1, width, width, 3] });
    const own = { ...input, data: [...pixelsOf(1, width, width)] };
    for (const name of ['lifted_numbers', 'lifted\\u005fnumbers']) {
      const body = JSON.stringify({
        inputs: [own, { ...input, data: 'LIFTED' }, { ...input, data: 'LIFTED' }],
      });
      const answer = await fetch(`${served.url}/v2/models/tiny/infer`, {
        method: 'POST',
        headers: { 'x-api-key': key },
        body: body.replaceAll('"LIFTED"', `{"${name}":0}`),
      });
      const { code, detail } = await told(answer);
      assert.equal(code, 'invalid_argument', detail);
      assert.match(detail, /inputs\[1\]\.data must be a list/);
    }
  }
});

test('both transports say the same of server and model', async (t) => {
  const ask = async (method: string, request: object) => {
    const { response, error } = await served.client.call<object>(method, request, {
      metadata: { 'x-api-key': key },
    });
    assert.ok(response, error?.message);
    return JSON.parse(JSON.stringify(response)) as unknown;
  };
  const { url } = served;
  const named = { name: 'tiny' };
  const server = {
    name: 'siglip-hd',
    version: 'unknown',
    extensions: ['binary_tensor_data', 'model_configuration', 'parameters', 'schedule_policy', 'statistics'],
  };
  assert.deepEqual(await getJson(t, `${url}/v2`), server);
  assert.deepEqual(await ask('ServerMetadata', {}), server);
  const metadata = {
    name: 'tiny',
    versions: ['1'],
    platform: 'siglip-hd',
    inputs: [
      { name: 'image', datatype: 'BYTES', shape: [-1, 1] },
      { name: 'pixels', datatype: 'UINT8', shape: [-1, side, side, 3] },
    ],
    outputs: [{ name: 'tokens', datatype: 'FP16', shape: [-1, 64, 32] }],
  };
  assert.deepEqual(await getJson(t, `${url}/v2/models/tiny/versions/1`), metadata);
  assert.deepEqual(await ask('ModelMetadata', named), metadata);
  const config = (await getJson(t, `${url}/v2/models/tiny/config`)) as {
    max_batch_size: number;
    parameters: { digest: { string_value: string } };
  };
  const { config: same } = (await ask('ModelConfig', named)) as {
    config: { maxBatchSize: number; parameters: { digest: { stringValue: string } } };
  };
  assert.deepEqual([config.max_batch_size, same.maxBatchSize], [8, 8]);
  assert.match(config.parameters.digest.string_value, /^sha256:/);
  assert.equal(same.parameters.digest.stringValue, config.parameters.digest.string_value);
  const index = [{ name: 'tiny', version: '1', state: 'READY', reason: '' }];
  assert.deepEqual(
    await getJson(t, `${url}/v2/repository/index`, { method: 'POST', headers: { 'x-api-key': key } }),
    index,
  );
  assert.deepEqual(await ask('RepositoryIndex', {}), { models: index });
});

test('a probe needs no key; a model is ready for those who have one', async () => {
  for (const path of ['live', 'ready']) {
    assert.equal((await fetch(`${served.url}/v2/health/${path}`)).status, 200);
  }
  const live = await served.client.call('ServerLive', {});
  const ready = await served.client.call('ServerReady', {});
  assert.deepEqual([live.response, ready.response], [{ live: true }, { ready: true }]);
  assert.equal((await fetch(`${served.url}/v2/models/tiny/ready`)).status, 401);
  const keyed = await fetch(`${served.url}/v2/models/tiny/ready`, { headers: { 'x-api-key': key } });
  assert.deepEqual(await keyed.json(), { name: 'tiny', ready: true });
  const model = await served.client.call('ModelReady', { name: 'tiny' }, { metadata: { 'x-api-key': key } });
  assert.deepEqual(model.response, { ready: true });
});

test('statistics count answers, failures and images, and both transports tell the same', async (t) => {
  interface Stats {
    readonly model_stats: readonly [
      {
        readonly inference_count: number;
        readonly execution_count: number;
        readonly inference_stats: Record<string, { readonly count: number; readonly ns: number }>;
      },
    ];
  }
  const read = async () => ((await getJson(t, `${served.url}/v2/models/tiny/stats`)) as Stats).model_stats[0];
  const earlier = await read();
  await overHttp(served, { inputs: [pixels(2)] });
  await overGrpc(served, { inputs: [pixels(1)] });
  await overGrpc(served, { inputs: [] });
  const later = await read();
  const grown = (name: string) => later.inference_stats[name]!.count - earlier.inference_stats[name]!.count;
  assert.equal(later.inference_count - earlier.inference_count, 3);
  assert.equal(later.execution_count - earlier.execution_count, 2);
  assert.deepEqual([grown('success'), grown('fail'), grown('compute_infer')], [2, 1, 2]);
  assert.ok(later.inference_stats['compute_infer']!.ns > earlier.inference_stats['compute_infer']!.ns);
  const { response } = await served.client.call<{ modelStats: { inferenceCount: number }[] }>(
    'ModelStatistics',
    { name: '' },
    { metadata: { 'x-api-key': key } },
  );
  assert.equal(response!.modelStats[0]!.inferenceCount, later.inference_count);
  assert.deepEqual(await getJson(t, `${served.url}/v2/models/stats`), { model_stats: [later] });
});

test('a path that the protocol has and the service does not is refused in the shape that clients read', async (t) => {
  const load = await getJson(t, `${served.url}/v2/repository/models/tiny/load`, { method: 'POST' });
  assert.match((load as { error: string }).error, /no path \/v2\/repository\/models\/tiny\/load/);
  const wrong = await fetch(`${served.url}/v2/models/tiny/infer`, { headers: { 'x-api-key': key } });
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'POST, OPTIONS']);
});
