import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { type Service, startService } from '../../src/service.ts';
import { valuesOf } from '../support/golden.ts';
import { type EncodeResponse, TestClient } from '../support/grpc-client.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';
import { importVlm } from '../support/vlm-golden.ts';
import { readNpy } from '../tokens/read-token-file.ts';
import { readTorch } from '../tokens/read-torch-file.ts';

const scratch = scratchFolder();
const rocket = readFileSync('test/fixtures/images/rocket.jpg');
const tall = readFileSync('test/fixtures/images/tall.webp');
let service: Service;
let client: TestClient;

before(async () => {
  const models = [{ name: 'tower', folder: await importFixture(scratch.path, 'clip-tiny') }];
  for (const name of ['llava-siglip', 'llava-next', 'gemma3']) {
    models.push({ name, folder: await importVlm(scratch.path, name) });
  }
  const config = serviceConfig({ models, cacheBytes: 2 ** 24 });
  service = await startService(config, pino({ level: 'silent' }), () => {});
  client = new TestClient(service.grpcPort, 'siglip_hd.v1.VisualEncoderService');
});
after(async () => {
  client.close();
  await service.close();
  scratch.remove();
});

const url = (path: string) => `http://127.0.0.1:${service.httpPort}/v1/${path}`;
const post = (path: string, body: Uint8Array<ArrayBuffer> | string = rocket, headers = {}) =>
  fetch(url(path), { method: 'POST', body, headers });
const bytesOf = async (answer: Response) => {
  if (answer.status !== 200) assert.fail(await answer.text());
  return Buffer.from(await answer.arrayBuffer());
};

interface Problem {
  readonly code: string;
  readonly detail: string;
}

async function refusal(path: string): Promise<Problem> {
  const answer = await post(path);
  assert.equal(answer.headers.get('content-type'), 'application/problem+json');
  return (await answer.json()) as Problem;
}

interface ListedModel {
  readonly name: string;
  readonly projector?: { readonly family: string; readonly digest: string; readonly hidden_size: number };
  readonly anyres?: { readonly grids: readonly object[]; readonly resample: string };
}

async function listed(name: string): Promise<ListedModel> {
  const { models } = (await (await fetch(url('models'))).json()) as { models: ListedModel[] };
  return models.find((model) => model.name === name)!;
}

test('a model without a projector refuses embeddings on both transports, and says how to import one', async () => {
  const { code, detail } = await refusal('encode?model=tower&output=embeddings');
  assert.equal(code, 'failed_precondition');
  assert.match(detail, /"tower" has no projector.*import a whole VLM checkpoint.*--projector/);
  const { error } = await client.call('Encode', {
    image: { file: rocket },
    options: { model: 'tower', output: 'OUTPUT_EMBEDDINGS' },
  });
  assert.equal(error?.details, detail);
  assert.equal(error?.code, 9);
});

test('a request that expects another projector is refused, and one that expects this one is answered', async () => {
  const { projector } = await listed('llava-siglip');
  const path = 'encode?model=llava-siglip&output=embeddings&expect_projector_digest=';
  await bytesOf(await post(path + projector!.digest));
  const other = `sha256:${'0'.repeat(64)}`;
  const { code, detail } = await refusal(path + other);
  assert.equal(code, 'failed_precondition');
  assert.ok(detail.includes(projector!.digest) && detail.includes(other), detail);
  const tower = await refusal(`encode?model=tower&expect_projector_digest=${other}`);
  assert.equal(tower.code, 'failed_precondition');
});

test('models are listed with their projector and their own AnyRes, and answers name the projector', async () => {
  const { projector, anyres } = await listed('llava-next');
  assert.equal(projector?.hidden_size, 48);
  assert.ok(anyres!.grids.length > 1);
  assert.deepEqual((await listed('tower')).projector, undefined);
  const answer = await post('encode?model=llava-next&output=embeddings');
  const metadata = JSON.parse(answer.headers.get('tokens-meta') ?? '') as Record<string, unknown>;
  const { family, digest } = projector;
  assert.deepEqual([metadata['output'], metadata['projector']], ['embeddings', { family, digest }]);
  const { response } = await client.call<EncodeResponse>('Encode', {
    image: { file: rocket },
    options: { model: 'llava-next', output: 'OUTPUT_EMBEDDINGS' },
  });
  assert.deepEqual(response?.metadata.projector, { family, digest });
  const { response: list } = await client.call<{ models: ListedModel[] }>('ListModels', {});
  assert.equal(list?.models.find(({ name }) => name === 'llava-next')?.projector?.digest, digest);
});

test('features and embeddings of one image are cached apart, and found again by its digest', async () => {
  const digest = createHash('sha256').update(tall).digest('hex');
  const get = (output: string) =>
    fetch(url(`encode?model=gemma3&dtype=float32&format=raw&output=${output}&image=sha256:${digest}`));
  const features = await bytesOf(await post('encode?model=gemma3&dtype=float32&format=raw', tall));
  assert.equal((await get('embeddings')).status, 404);
  const embeddings = await bytesOf(
    await post('encode?model=gemma3&dtype=float32&format=raw&output=embeddings', tall),
  );
  assert.notEqual(features.byteLength, embeddings.byteLength);
  assert.deepEqual(await bytesOf(await get('features')), features);
  assert.deepEqual(await bytesOf(await get('embeddings')), embeddings);
});

test('requests for features and embeddings that share a batch each get their own', async () => {
  const ask = async (output: string, dtype: string) =>
    await bytesOf(
      await post(`encode?model=llava-siglip&format=raw&dtype=${dtype}&output=${output}`, rocket, {
        'cache-control': 'no-store',
      }),
    );
  const [features, embeddings, halves] = await Promise.all([
    ask('features', 'float32'),
    ask('embeddings', 'float32'),
    ask('embeddings', 'float16'),
  ]);
  assert.equal(features.byteLength, 64 * 32 * 4);
  assert.equal(embeddings.byteLength, 64 * 48 * 4);
  const exact = valuesOf(embeddings, 'float32');
  for (const [index, value] of valuesOf(halves, 'float16').entries()) {
    assert.ok(Math.abs(value - exact[index]!) <= 1e-4 + Math.abs(exact[index]!) * 2 ** -10);
  }
});

test('a fused answer is projected in float32 and rounded once, to bfloat16 too', async () => {
  const ask = async (dtype: string) =>
    await bytesOf(await post(`teacher-encode?model=gemma3&output=embeddings&format=raw&dtype=${dtype}`));
  const exact = valuesOf(await ask('float32'), 'float32');
  const brief = await ask('bfloat16');
  assert.equal(brief.byteLength, exact.length * 2);
  for (const [index, value] of exact.entries()) {
    const rounded = new DataView(new ArrayBuffer(4));
    rounded.setUint16(0, brief.readUInt16LE(index * 2));
    assert.ok(Math.abs(rounded.getFloat32(0) - value) <= Math.abs(value) * 2 ** -8, `at ${index}`);
  }
});

test('a projector that works row by row takes any grid of a teacher, one that pools only its own', async () => {
  const answer = await post('teacher-encode?model=llava-siglip&output=embeddings&grid=3x5');
  const { shape, grid } = JSON.parse(answer.headers.get('tokens-meta') ?? '') as Record<string, unknown>;
  assert.deepEqual([shape, grid], [[15, 48], { width: 3, height: 5 }]);
  const pooled = await refusal('teacher-encode?model=gemma3&output=embeddings&grid=3x5');
  assert.equal(pooled.code, 'invalid_argument');
  assert.match(pooled.detail, /pools a map of 8x8 tokens.*leave grid out/);
  const wide = await refusal('teacher-encode?model=llava-siglip&output=embeddings&fusion=concat');
  assert.equal(wide.code, 'invalid_argument');
  assert.match(wide.detail, /features of 32 channels.*gives 64.*fusion=average/);
});

test('AnyRes tiles are projected view by view, without newline rows', async () => {
  const answer = await post('anyres-encode?model=llava-next&output=embeddings&assembly=tiles');
  const metadata = JSON.parse(answer.headers.get('tokens-meta') ?? '') as {
    shape: number[];
    anyres: { newlines: number };
  };
  assert.deepEqual(metadata.shape.slice(1), [16, 48]);
  assert.equal(metadata.anyres.newlines, 0);
});

interface ImagePart {
  readonly type: string;
  readonly uuid: string;
  readonly image_embeds: string;
}

test('format=vllm is a chat part whose payload numpy reads, or torch where the rows are bfloat16', async () => {
  const ask = (dtype: string, format: string) =>
    post(`anyres-encode?model=llava-next&output=embeddings&dtype=${dtype}&format=${format}`);
  const raw = await bytesOf(await ask('float16', 'raw'));
  const part = (await (await ask('float16', 'vllm')).json()) as ImagePart;
  assert.deepEqual(Object.keys(part), ['type', 'uuid', 'image_embeds']);
  assert.equal(part.type, 'image_embeds');
  const { descr, shape, data } = readNpy(Buffer.from(part.image_embeds, 'base64'));
  assert.deepEqual([descr, shape], ['<f2', [70, 48]]);
  assert.deepEqual(data, raw);
  const brief = (await (await ask('bfloat16', 'vllm')).json()) as ImagePart;
  const tensor = readTorch(Buffer.from(brief.image_embeds, 'base64'));
  assert.deepEqual([tensor.storage, tensor.shape], ['BFloat16Storage', [70, 48]]);
  assert.deepEqual(tensor.data, await bytesOf(await ask('bfloat16', 'raw')));
  const prompt = (await (await ask('float16', 'vllm-prompt-embeds')).json()) as Record<string, string>;
  assert.equal(prompt['type'], 'prompt_embeds');
  assert.deepEqual(readTorch(Buffer.from(prompt['data']!, 'base64')).data, raw);
});

test('several images as vllm are a list of parts, each of its own length, or one failure', async () => {
  const images = [rocket, tall].map((image) => image.toString('base64'));
  const ask = (body: readonly string[]) =>
    post('anyres-encode?model=llava-next&output=embeddings&format=vllm', JSON.stringify({ images: body }), {
      'content-type': 'application/json',
    });
  const parts = (await (await ask(images)).json()) as ImagePart[];
  const rows = parts.map((part) => readNpy(Buffer.from(part.image_embeds, 'base64')).shape[0]);
  assert.deepEqual(rows, [70, 52]);
  assert.notEqual(parts[0]!.uuid, parts[1]!.uuid);
  assert.deepEqual(await (await ask(images.slice(1))).json(), [parts[1]]);
  const failed = await ask([images[0]!, Buffer.from('no image').toString('base64')]);
  assert.equal(failed.status, 400);
  assert.match(((await failed.json()) as Problem).detail, /^images\[1\]: /);
});

test('the uuid of a part is the same for the same tokens alone', async () => {
  const uuidOf = async (query: string, body = rocket) => {
    const answer = await post(`${query}${query.includes('?') ? '&' : '?'}format=vllm`, body, {
      'cache-control': 'no-store',
    });
    const { uuid } = (await answer.json()) as ImagePart;
    assert.match(uuid, /^[0-9a-f]{64}$/);
    return uuid;
  };
  const plain = 'encode?model=llava-next&output=embeddings';
  assert.equal(await uuidOf(plain), await uuidOf(`${plain}&exif=apply`));
  const others = [
    plain,
    'encode?model=llava-siglip&output=embeddings',
    `${plain}&dtype=bfloat16`,
    'anyres-encode?model=llava-next&output=embeddings',
    'anyres-encode?model=llava-next&output=embeddings&max_tiles=1',
    'teacher-encode?model=llava-siglip&output=embeddings',
  ];
  const uuids = new Set<string>();
  for (const query of others) uuids.add(await uuidOf(query));
  uuids.add(await uuidOf(plain, tall));
  assert.equal(uuids.size, others.length + 1);
});

test('a part holds the rows of one image, so tiles are refused before the image is read', async () => {
  const { code, detail } = await refusal(
    'anyres-encode?model=llava-next&output=embeddings&assembly=tiles&format=vllm',
  );
  assert.equal(code, 'not_acceptable');
  assert.match(detail, /leave assembly out/);
});
