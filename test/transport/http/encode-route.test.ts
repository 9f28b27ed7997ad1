import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TokenFormat } from '../../../src/tokens/formats/format.ts';
import type { VllmFormat } from '../../../src/tokens/formats/vllm.ts';
import { type TokenDtype, tokenDtypes } from '../../../src/tokens/tensor.ts';
import { readNpy, readSafetensors } from '../../tokens/read-token-file.ts';
import { readTorch } from '../../tokens/read-torch-file.ts';
import { requestOptions } from '../../../src/transport/request-options.ts';
import { openStubApp, stubTokens } from './stub-server.ts';

const { ask, encoder } = await openStubApp();
const image = Buffer.from('\xff\xd8 not really a JPEG', 'latin1');

function post(path: string, init: RequestInit = {}): Promise<Response> {
  return ask(path, { method: 'POST', body: image, ...init });
}

function tokensOf(dtype: TokenDtype, stacked = false, count = 1): { shape: readonly number[]; data: Buffer } {
  const images = Array.from({ length: count }, () => ({ kind: 'file', bytes: image }) as const);
  const request = {
    images,
    stacked,
    recipe: { recipe: 'encode' },
    options: { dtype, exif: 'apply' },
    signal: AbortSignal.any([]),
  } as const;
  const { tensor } = stubTokens(request);
  return { shape: tensor.shape, data: Buffer.concat(tensor.parts) };
}

async function decode(
  format: Exclude<TokenFormat, VllmFormat>,
  answer: Response,
): Promise<{ shape: number[]; dtype: string; data: Buffer; meta: Record<string, unknown> }> {
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(Number(answer.headers.get('content-length')), bytes.byteLength);
  const header = JSON.parse(answer.headers.get('tokens-meta') ?? 'null');
  switch (format) {
    case 'npy': {
      const { descr, shape, data } = readNpy(bytes);
      return { shape, dtype: descr === '<f2' ? 'float16' : 'float32', data, meta: header };
    }
    case 'raw':
      return { shape: header.shape, dtype: header.dtype, data: bytes, meta: header };
    case 'safetensors': {
      const { shape, dtype, data, metadata } = readSafetensors(bytes);
      const names: Record<string, string> = { F16: 'float16', F32: 'float32', BF16: 'bfloat16' };
      return { shape, dtype: names[dtype] ?? dtype, data, meta: JSON.parse(metadata['tokens_meta'] ?? '') };
    }
    case 'json': {
      const value = JSON.parse(bytes.toString());
      assert.equal(value.encoding, 'base64');
      const data = Buffer.from(value.data, 'base64');
      return { shape: value.shape, dtype: value.dtype, data, meta: value.metadata };
    }
    case 'torch': {
      const { storage, shape, data } = readTorch(bytes);
      const names: Record<string, string> = { HalfStorage: 'float16', FloatStorage: 'float32' };
      return { shape, dtype: names[storage] ?? 'bfloat16', data, meta: header };
    }
  }
}

for (const format of ['npy', 'raw', 'safetensors', 'json', 'torch'] as const) {
  for (const dtype of tokenDtypes) {
    if (format === 'npy' && dtype === 'bfloat16') continue;
    test(`answers ${dtype} as ${format}, bit for bit, with its metadata`, async () => {
      const answer = await post(`/v1/encode?format=${format}&dtype=${dtype}`);
      assert.equal(answer.status, 200);
      const got = await decode(format, answer);
      const expected = tokensOf(dtype);
      assert.deepEqual([got.shape, got.dtype], [expected.shape, dtype]);
      assert.deepEqual(got.data, expected.data);
      assert.deepEqual(got.meta, {
        model: { name: 'stub', digest: `sha256:${'ab'.repeat(32)}`, trained: false },
        recipe: 'encode',
        output: 'features',
        features: 'last_hidden_state',
        precision: 'fp32',
        dtype,
        shape: expected.shape,
        grid: { width: 2, height: 2 },
        views: 1,
        images: [{ width: 640, height: 480 }],
      });
    });
  }
}

test('answers float16 .npy where nothing is asked for, on both paths', async () => {
  for (const path of ['/encode', '/v1/encode']) {
    const answer = await post(path);
    assert.equal(answer.headers.get('content-type'), 'application/x-npy');
    assert.equal(readNpy(Buffer.from(await answer.arrayBuffer())).descr, '<f2');
  }
});

test('gives the time of each stage in Server-Timing', async () => {
  const answer = await post('/encode');
  const timing = answer.headers.get('server-timing') ?? '';
  assert.match(
    timing,
    /^decode;dur=1\.00, views;dur=2\.00, queue;dur=3\.00, engine;dur=4\.00, write;dur=\d+\.\d\d$/,
  );
});

test('gives the largest batch of views in Server-Timing where the engine ran one', async () => {
  encoder.answer = (request) => {
    const answer = stubTokens(request);
    return { ...answer, timings: { ...answer.timings, batchViews: 3 } };
  };
  const answer = await post('/encode');
  encoder.answer = stubTokens;
  assert.match(answer.headers.get('server-timing') ?? '', /engine;dur=4\.00;desc="batch of 3", write;/);
});

test('refuses bfloat16 as .npy and says what would work', async () => {
  const before = encoder.requests.length;
  const answer = await post('/encode?dtype=bfloat16');
  assert.equal(answer.status, 406);
  const problem = (await answer.json()) as { code: string; detail: string };
  assert.equal(problem.code, 'not_acceptable');
  assert.match(problem.detail, /raw, safetensors, json.*float16, float32/);
  assert.equal(encoder.requests.length, before);
});

test('passes the options on', async () => {
  await post(
    '/encode?model=stub&expect_digest=sha256:' +
      'ab'.repeat(32) +
      '&expect_features=pre_norm&exif=ignore&output=embeddings' +
      '&expect_projector_digest=sha256:' +
      'cd'.repeat(32),
  );
  assert.deepEqual(encoder.requests.at(-1)?.options, {
    model: 'stub',
    expectDigest: `sha256:${'ab'.repeat(32)}`,
    expectFeatures: ['pre_norm'],
    expectProjectorDigest: `sha256:${'cd'.repeat(32)}`,
    output: 'embeddings',
    dtype: 'float16',
    exif: 'ignore',
  });
});

test("passes each recipe's own options on, on both paths of each", async () => {
  const cases = [
    ['encode', '', { recipe: 'encode' }],
    [
      'teacher-encode',
      '?scales=512,1024&weights=1,3&fusion=concat&grid=37x24',
      {
        recipe: 'teacher',
        scales: [512, 1024],
        weights: [1, 3],
        grid: { width: 37, height: 24 },
        fusion: 'concat',
        windows: 'tiles',
      },
    ],
    [
      'anyres-encode',
      '?max_grid=3x2&max_tiles=0&assembly=tiles&resample=bilinear',
      {
        recipe: 'anyres',
        maxGrid: { columns: 3, rows: 2 },
        maxTiles: 0,
        assembly: 'tiles',
        resample: 'bilinear',
      },
    ],
  ] as const;
  for (const [name, query, recipe] of cases) {
    for (const path of [`/v1/${name}`, `/${name}`]) {
      const answer = await post(path + query);
      assert.equal(answer.status, 200, path);
      assert.deepEqual(encoder.requests.at(-1)?.recipe, recipe, path);
    }
  }
});

test('says on each endpoint which options it has', async () => {
  for (const [path, recipe] of [
    ['/v1/encode?scales=512', 'encode'],
    ['/v1/teacher-encode?max_tiles=4', 'teacher'],
    ['/v1/anyres-encode?fusion=concat', 'anyres'],
  ] as const) {
    const answer = await post(path);
    assert.equal(answer.status, 400, path);
    const { detail } = (await answer.json()) as { detail: string };
    assert.ok(detail.endsWith(`${requestOptions[recipe].map(({ name }) => name).join(', ')}.`), detail);
  }
});

test('says where anyres tokens lie, beside the tokens and inside the file', async () => {
  const anyres = {
    tile_grid: { columns: 2, rows: 1 },
    base_tokens: 4,
    unpad: { x: 0, y: 1, width: 4, height: 0 },
    spatial: { width: 3, height: 0 },
    newlines: 0,
    resized: true,
  };
  for (const format of ['npy', 'raw', 'safetensors', 'json', 'torch'] as const) {
    const { meta } = await decode(format, await post(`/v1/anyres-encode?format=${format}`));
    assert.deepEqual([meta['recipe'], meta['views'], meta['anyres']], ['anyres', 1, anyres]);
  }
});

test('gives the time of assembling where there was any', async () => {
  encoder.answer = (request) => {
    const answer = stubTokens(request);
    return { ...answer, timings: { ...answer.timings, assembleMs: 5 } };
  };
  const answer = await post('/teacher-encode');
  encoder.answer = stubTokens;
  assert.match(answer.headers.get('server-timing') ?? '', /engine;dur=4\.00, assemble;dur=5\.00, write;/);
});

test('refuses an unknown option, dtype or format, each by name', async () => {
  for (const [query, name] of [
    ['colour=red', 'colour'],
    ['dtype=int8', 'dtype'],
    ['format=png', 'format'],
    ['format=npy&format=raw', 'format'],
    ['dtype=float16&dtype=float32', 'dtype'],
    ['__proto__=1', '__proto__'],
  ] as const) {
    const answer = await post(`/encode?${query}`);
    assert.equal(answer.status, 400, query);
    const problem = (await answer.json()) as { code: string; detail: string };
    assert.equal(problem.code, 'invalid_argument');
    assert.ok(problem.detail.includes(name), `${query}: ${problem.detail}`);
  }
});

test('refuses a part for vLLM without output=embeddings, which is what a language model takes', async () => {
  for (const format of ['vllm', 'vllm-prompt-embeds']) {
    for (const path of ['encode', 'teacher-encode', 'anyres-encode']) {
      for (const query of ['', '&output=features', '&dtype=bfloat16']) {
        const answer = await post(`/v1/${path}?format=${format}${query}`);
        const { code, detail } = (await answer.json()) as { code: string; detail: string };
        assert.deepEqual([answer.status, code], [400, 'invalid_argument'], `${path} ${format} ${query}`);
        assert.match(detail, /add output=embeddings/);
      }
    }
    const cached = await ask(`/v1/encode?format=${format}&image=sha256:${'0'.repeat(64)}`);
    assert.equal(cached.status, 400);
    assert.equal((await post(`/v1/encode?format=${format}&output=embeddings`)).status, 200);
  }
  const accept = { accept: 'application/x-vllm-image-embeds+json' };
  assert.equal((await post('/v1/encode', { headers: accept })).status, 400);
});

test('answers in the format that Accept prefers', async () => {
  const answer = await post('/encode', {
    headers: { accept: 'application/x-npy;q=0.2, application/x-safetensors;q=0.9, text/html' },
  });
  assert.equal(answer.headers.get('content-type'), 'application/x-safetensors');
  assert.equal(answer.headers.get('tokens-meta'), null);
});

test('refuses an Accept that leaves no format, unless format names one', async () => {
  const headers = { accept: 'text/html, image/*' };
  const refused = await post('/encode', { headers });
  assert.equal(refused.status, 406);
  assert.equal(((await refused.json()) as { code: string }).code, 'not_acceptable');
  assert.equal((await post('/encode?format=raw', { headers })).status, 200);
});

test('streams a JSON answer of several megabytes whole', async () => {
  const data = Buffer.alloc(5_000_001, 'pattern');
  encoder.answer = (request) => {
    const answer = stubTokens(request);
    return {
      ...answer,
      tensor: {
        ...answer.tensor,
        parts: [data.subarray(0, 7), data.subarray(7)].map((part) => new Uint8Array(part)),
      },
    };
  };
  const answer = await post('/encode?format=json');
  const text = await answer.text();
  encoder.answer = stubTokens;
  assert.equal(Number(answer.headers.get('content-length')), text.length);
  assert.ok(Buffer.from(JSON.parse(text).data, 'base64').equals(data));
});
