import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { importModel } from '../../src/model/import/import-model.ts';
import { type Service, startService } from '../../src/service.ts';
import { imageBytes, valuesOf } from '../support/golden.ts';
import { type EncodeResponse, TestClient } from '../support/grpc-client.ts';
import {
  importedLayers,
  importLayers,
  type LayersCase,
  layersCases,
  layersError,
} from '../support/layers-golden.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';

const scratch = scratchFolder();
let service: Service;
let client: TestClient;

before(async () => {
  const models = [];
  for (const name of ['siglip-head', 'clip-projected'] as const) {
    models.push({ name, folder: await importLayers(scratch.path, name) });
  }
  models.push({ name: 'plain', folder: await importFixture(scratch.path, 'clip-tiny') });
  const deep = join(scratch.path, 'deep');
  const source = 'test/fixtures/layers/siglip-head';
  await importModel({ source, out: deep, features: ['-4'], precision: 'fp32' });
  models.push({ name: 'deep', folder: deep });
  const shallow = join(scratch.path, 'shallow');
  await importModel({ source, out: shallow, features: ['penultimate'], pooled: true, precision: 'fp32' });
  models.push({ name: 'shallow', folder: shallow });
  service = await startService(serviceConfig({ models }), pino({ level: 'silent' }), () => {});
  client = new TestClient(service.grpcPort, 'siglip_hd.v1.VisualEncoderService');
});
after(async () => {
  client.close();
  await service.close();
  scratch.remove();
});

interface Metadata {
  readonly output: string;
  readonly features: string;
  readonly class_token?: boolean;
  readonly shape: readonly number[];
  readonly images: readonly [{ readonly width: number; readonly height: number }];
}
interface Answered {
  readonly metadata: Pick<Metadata, 'output' | 'features' | 'class_token' | 'shape'>;
  readonly bytes: Uint8Array;
}
type Query = Readonly<Record<string, string>>;

function url(path: string, query: Query): string {
  return `http://127.0.0.1:${service.httpPort}/v1/${path}?${new URLSearchParams(query).toString()}`;
}

async function post(path: string, query: Query, image = 'rocket.jpg'): Promise<Response> {
  return await fetch(url(path, { format: 'raw', ...query }), { method: 'POST', body: imageBytes(image) });
}

async function answerOf(path: string, query: Query, image?: string) {
  const response = await post(path, query, image);
  if (response.status !== 200) assert.fail(await response.text());
  const metadata = JSON.parse(response.headers.get('tokens-meta') ?? '') as Metadata;
  return { metadata, bytes: new Uint8Array(await response.arrayBuffer()) };
}

async function refusalOf(path: string, query: Query) {
  const response = await post(path, query);
  return (await response.json()) as { status: number; code: string; detail: string };
}

type Ask = (golden: LayersCase, dtype: 'float16' | 'float32') => Promise<Answered>;

const queryOf = ({ request }: LayersCase): Query => Object.fromEntries(new URLSearchParams(request));

async function overHttp(...[golden, dtype]: Parameters<Ask>): Promise<Answered> {
  return await answerOf('encode', { model: golden.checkpoint, dtype, ...queryOf(golden) }, golden.image);
}

async function overGrpc(...[golden, dtype]: Parameters<Ask>): Promise<Answered> {
  const { features, class_token: classToken, output } = queryOf(golden);
  const request = {
    image: { file: imageBytes(golden.image) },
    options: {
      model: golden.checkpoint,
      dtype: `DTYPE_${dtype.toUpperCase()}`,
      ...(features && { features: features.split(',') }),
      ...(output && { output: `OUTPUT_${output.toUpperCase()}` }),
    },
    ...(classToken && { encode: { classToken: true } }),
  };
  const { response, error } = await client.call<EncodeResponse>('Encode', request);
  assert.equal(error, undefined);
  const { metadata, tensor } = response!;
  return {
    metadata: {
      shape: tensor.shape,
      output: metadata.output.toLowerCase().replace('output_', ''),
      features: metadata.featureLayers.join(','),
      class_token: metadata.classToken,
    },
    bytes: tensor.data,
  };
}

for (const [transport, ask] of Object.entries({ HTTP: overHttp, gRPC: overGrpc })) {
  for (const golden of layersCases) {
    for (const dtype of ['float32', 'float16'] as const) {
      test(`${transport} gives what transformers gives: ${golden.expected} as ${dtype}`, async () => {
        const {
          features = 'last_hidden_state',
          output = 'features',
          class_token: classToken,
        } = queryOf(golden);
        const { metadata, bytes } = await ask(golden, dtype);
        assert.deepEqual(metadata.shape, golden.shape);
        assert.deepEqual([metadata.features, metadata.output], [features, output]);
        assert.equal(metadata.class_token === true, classToken === 'true');
        const worst = layersError(golden, bytes, dtype);
        assert.ok(worst <= 1, `off by ${worst} times the tolerance`);
      });
    }
  }
}

for (const golden of layersCases) {
  test(`Plan says what the call answers: ${golden.expected}`, async () => {
    const query = { model: golden.checkpoint, dtype: 'float32', ...queryOf(golden) };
    const { metadata, bytes } = await answerOf('encode', query, golden.image);
    const [{ width, height }] = metadata.images;
    const size = { recipe: 'encode', width: String(width), height: String(height) };
    const planned = await fetch(url('plan', { ...size, ...query }));
    const plan = (await planned.json()) as { metadata: unknown; tokens: number; size_bytes: number };
    assert.deepEqual(plan.metadata, metadata);
    assert.equal(plan.tokens, golden.shape.length === 1 ? 1 : golden.shape[0]);
    assert.equal(plan.size_bytes, bytes.byteLength);
  });
}

/** The values of one of `count` layers that an answer of rows joins by channels. */
function ofLayer(joined: Float32Array, layer: number, count: number, channels = 32): Float32Array {
  const rows = joined.length / count / channels;
  const row = (index: number) =>
    joined.subarray((index * count + layer) * channels, (index * count + layer + 1) * channels);
  return Float32Array.from(
    { length: rows * channels },
    (_, at) => row(Math.floor(at / channels))[at % channels]!,
  );
}

for (const path of ['teacher-encode', 'anyres-encode']) {
  test(`${path} joins layers as it gives each of them`, async () => {
    const ask = async (features: string) => {
      const query = { model: 'siglip-head', dtype: 'float32', features };
      const { metadata, bytes } = await answerOf(path, query);
      return { shape: metadata.shape, values: valuesOf(bytes, 'float32') };
    };
    const [both, first, second] = [
      await ask('-3,last_hidden_state'),
      await ask('-3'),
      await ask('last_hidden_state'),
    ];
    assert.deepEqual(both.shape, [first.shape[0], 64]);
    assert.deepEqual(ofLayer(both.values, 0, 2), first.values);
    assert.deepEqual(ofLayer(both.values, 1, 2), second.values);
  });
}

test('all layers can be asked for in one request, bfloat16 too', async () => {
  const features = importedLayers.join(',');
  for (const dtype of ['float16', 'float32', 'bfloat16']) {
    const { metadata, bytes } = await answerOf('encode', {
      model: 'clip-projected',
      features,
      class_token: 'true',
      dtype,
    });
    assert.deepEqual(metadata.shape, [17, 128]);
    assert.equal(bytes.byteLength, 17 * 128 * (dtype === 'float32' ? 4 : 2));
  }
});

test('requests for different layers at one time each get their own', async () => {
  const cases = layersCases.filter(({ checkpoint }) => checkpoint === 'clip-projected');
  const answers = await Promise.all(cases.map((golden) => overHttp(golden, 'float32')));
  for (const [index, golden] of cases.entries())
    assert.ok(layersError(golden, answers[index]!.bytes, 'float32') <= 1);
});

test('the cache tells layers, class tokens and pooled vectors apart, and knows the default by either name', async (t) => {
  const models = [{ name: 'clip', folder: join(scratch.path, 'clip-projected-fp32') }];
  const config = serviceConfig({ models, cacheBytes: 2 ** 24 });
  const cached = await startService(config, pino({ level: 'silent' }), () => {});
  t.after(() => cached.close());
  const source = async (query: Query) => {
    const path = `/v1/encode?${new URLSearchParams(query).toString()}`;
    const body = imageBytes('coffee.png');
    const response = await fetch(`http://127.0.0.1:${cached.httpPort}${path}`, { method: 'POST', body });
    assert.equal(response.status, 200);
    await response.arrayBuffer();
    return response.headers.get('tokens-cache');
  };
  const queries: readonly Query[] = [
    {},
    { features: 'penultimate' },
    { features: 'penultimate,-3' },
    { features: '-3,penultimate' },
    { class_token: 'true' },
    { output: 'pooled' },
  ];
  for (const query of queries) assert.equal(await source(query), 'miss', JSON.stringify(query));
  for (const query of queries) assert.equal(await source(query), 'hit', JSON.stringify(query));
  assert.equal(await source({ features: 'last_hidden_state' }), 'hit');
  assert.equal(await source({ features: '-2' }), 'hit');
});

test('several images of pooled vectors are one array of a row each', async () => {
  const form = new FormData();
  for (const image of ['rocket.jpg', 'document.png']) form.append('image', new Blob([imageBytes(image)]));
  const query = { model: 'siglip-head', output: 'pooled', dtype: 'float32', format: 'raw' };
  const response = await fetch(url('encode', query), { method: 'POST', body: form });
  assert.equal(response.status, 200);
  const { shape } = JSON.parse(response.headers.get('tokens-meta') ?? '') as Metadata;
  assert.deepEqual(shape, [2, 32]);
  const both = new Uint8Array(await response.arrayBuffer());
  const cases = layersCases.filter(
    ({ checkpoint, request }) => checkpoint === 'siglip-head' && request === 'output=pooled',
  );
  for (const [index, golden] of cases.entries()) {
    assert.ok(layersError(golden, both.subarray(index * 128, (index + 1) * 128), 'float32') <= 1);
  }
});

test('a folder of one numbered layer gives it without being asked, and gRPC says which it is', async () => {
  const { metadata } = await answerOf('encode', { model: 'deep' });
  assert.equal(metadata.features, '-4');
  const request = { image: { file: imageBytes('rocket.jpg') }, options: { model: 'deep' } };
  const { response } = await client.call<EncodeResponse>('Encode', request);
  assert.equal(response!.metadata.features, 'FEATURE_LAYER_UNSPECIFIED');
  assert.deepEqual(response!.metadata.featureLayers, ['-4']);
});

describe('what a model does not give', () => {
  const importLine = (flags: string) => new RegExp(`: siglip-hd import SOURCE --out FOLDER ${flags}$`);

  test('a layer is refused by its name, with the import that adds it', async () => {
    const refused = await refusalOf('encode', { model: 'clip-projected', features: 'penultimate,-4' });
    assert.equal(refused.code, 'failed_precondition');
    assert.match(
      refused.detail,
      /^The model "clip-projected" has no -4, only last_hidden_state, penultimate, -3, -5\. /,
    );
    const flags = '--features last_hidden_state,penultimate,-3,-5,-4 --class-token --pooled';
    assert.match(refused.detail, importLine(flags));
  });

  test('a layer that the tower does not have is refused with those that it has', async () => {
    const refused = await refusalOf('encode', { model: 'clip-projected', features: '-7' });
    assert.equal(refused.code, 'failed_precondition');
    assert.match(refused.detail, /has 5 layers, so its hidden states are -1 to -6, and -7 is none\.$/);
  });

  test('a class token and a pooled vector are refused with the import that adds them', async () => {
    const classToken = await refusalOf('encode', { model: 'plain', class_token: 'true' });
    assert.match(classToken.detail, importLine('--features last_hidden_state --class-token'));
    const pooled = await refusalOf('encode', { model: 'plain', output: 'pooled' });
    assert.match(pooled.detail, importLine('--features last_hidden_state --pooled'));
    assert.deepEqual([classToken.code, pooled.code], ['failed_precondition', 'failed_precondition']);
  });

  test('a class token of a SigLIP is refused: it has none', async () => {
    const refused = await refusalOf('encode', { model: 'siglip-head', class_token: 'true' });
    assert.match(refused.detail, /is a SigLIP, which has no class token/);
  });

  test('gRPC refuses it with the same sentence', async () => {
    const query = { model: 'plain', features: '-3' };
    const { detail } = await refusalOf('encode', query);
    const request = {
      image: { file: imageBytes('rocket.jpg') },
      options: { model: 'plain', features: ['-3'] },
    };
    const { error } = await client.call<EncodeResponse>('Encode', request);
    assert.match(detail, importLine('--features last_hidden_state,-3'));
    assert.equal(error?.details, detail);
  });
});

test('a pooled vector is for encode alone: other recipes refuse it', async () => {
  for (const path of ['teacher-encode', 'anyres-encode']) {
    const refused = await refusalOf(path, { model: 'siglip-head', output: 'pooled' });
    assert.equal(refused.code, 'invalid_argument');
    assert.match(refused.detail, /^output=pooled is one vector of the whole image, /);
    const classToken = await refusalOf(path, { model: 'clip-projected', class_token: 'true' });
    assert.match(classToken.detail, /^"class_token" is an option of \/v1\/encode, not of /);
  }
});

test('expect_features holds the layers that are answered against the expected one', async () => {
  const ask = { model: 'siglip-head', expect_features: 'penultimate' };
  const refused = await refusalOf('encode', ask);
  assert.equal(refused.code, 'failed_precondition');
  assert.match(
    refused.detail,
    /gives last_hidden_state, not the expected penultimate; ask for features=penultimate\.$/,
  );
  const { metadata } = await answerOf('encode', { ...ask, features: 'penultimate' });
  assert.equal(metadata.features, 'penultimate');
  const joined = { ...ask, features: 'penultimate,last_hidden_state' };
  const { detail } = await refusalOf('encode', joined);
  assert.match(detail, /gives penultimate,last_hidden_state, not the expected penultimate; /);
  await answerOf('encode', { ...joined, expect_features: '-2,last_hidden_state' });
  const unlisted = await refusalOf('encode', { ...ask, expect_features: '-9' });
  assert.match(
    unlisted.detail,
    /gives last_hidden_state, not the expected -9; import it with --features -9\.$/,
  );
});

test('expect_features holds for a pooled vector what its metadata says, whatever the default layer is', async () => {
  const ask = { model: 'shallow', output: 'pooled' };
  const refused = await refusalOf('encode', { ...ask, expect_features: 'penultimate' });
  assert.equal(refused.code, 'failed_precondition');
  assert.equal(
    refused.detail,
    'output=pooled is made of last_hidden_state, not of the expected penultimate; expect last_hidden_state.',
  );
  const { metadata } = await answerOf('encode', { ...ask, expect_features: 'last_hidden_state' });
  assert.equal(metadata.features, 'last_hidden_state');
});

test('the list of models tells what each can be asked for', async () => {
  const { models } = (await (await fetch(url('models', {}))).json()) as {
    models: readonly Record<string, unknown>[];
  };
  const { response } = await client.call<{ models: readonly Record<string, unknown>[] }>('ListModels', {});
  const told = models.map((model) => [
    model['feature_layers'],
    model['class_token'],
    model['pooled_channels'] ?? 0,
  ]);
  assert.deepEqual(told, [
    [[...importedLayers], false, 32],
    [[...importedLayers], true, 24],
    [['last_hidden_state'], false, 0],
    [['-4'], false, 0],
    [['penultimate'], false, 32],
  ]);
  assert.deepEqual(
    response!.models.map((model) => [model['featureLayers'], model['classToken'], model['pooledChannels']]),
    told,
  );
});

test('the Open Inference Protocol takes layers as a parameter, and has a pooled output', async () => {
  const infer = async (
    model: string,
    { parameters = {}, ...more }: { parameters?: object; outputs?: object[] },
  ) => {
    const inputs = [
      {
        name: 'image',
        datatype: 'BYTES',
        shape: [1, 1],
        data: [imageBytes('rocket.jpg').toString('base64')],
      },
    ];
    const response = await fetch(`http://127.0.0.1:${service.httpPort}/v2/models/${model}/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs, parameters: { dtype: 'float32', ...parameters }, ...more }),
    });
    const body = (await response.json()) as { error?: string; outputs: [{ name: string; shape: number[] }] };
    assert.equal(response.status, 200, body.error);
    return body.outputs[0];
  };
  const layers = await infer('clip-projected', {
    parameters: { features: 'penultimate,-3', class_token: true },
  });
  assert.deepEqual([layers.name, layers.shape], ['tokens', [1, 17, 64]]);
  const pooled = await infer('clip-projected', { outputs: [{ name: 'pooled' }] });
  assert.deepEqual([pooled.name, pooled.shape], ['pooled', [1, 24]]);
});
