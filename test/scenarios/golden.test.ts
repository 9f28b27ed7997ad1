import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import type { Size } from '../../src/recipes/plan.ts';
import { type Service, startService } from '../../src/service.ts';
import {
  expectedTokens,
  type GoldenCase,
  goldenCases,
  goldenOptions,
  imageBytes,
  valuesOf,
  windowsOf,
  worstError,
} from '../support/golden.ts';
import { type EncodeResponse, TestClient } from '../support/grpc-client.ts';
import { serviceConfig } from '../support/service-config.ts';
import { StreamCaller } from '../support/stream-caller.ts';
import { type FixtureOptions, importFixture, scratchFolder } from '../support/tiny-models.ts';

const scratch = scratchFolder();
/** Served models by name. */
const imports: Readonly<Record<string, readonly [checkpoint: string, options?: FixtureOptions]>> = {
  'siglip-tiny': ['siglip-tiny'],
  'siglip-tiny-sharded': ['siglip-tiny-sharded'],
  'siglip-tiny-27': ['siglip-tiny-27'],
  'siglip-tiny-pre_norm': ['siglip-tiny', { features: ['pre_norm'] }],
  'siglip-tiny-penultimate': ['siglip-tiny', { features: ['penultimate'] }],
  'siglip-tiny-1024': ['siglip-tiny', { imageSize: 1024 }],
  'clip-tiny': ['clip-tiny'],
  'clip-tiny-penultimate': ['clip-tiny', { features: ['penultimate'] }],
  'clip-tiny-518': ['clip-tiny', { imageSize: 518, resize: 'squash' }],
};
let service: Service;
let client: TestClient;
let stream: StreamCaller;

before(async () => {
  const models = [];
  for (const [name, [checkpoint, options]] of Object.entries(imports)) {
    models.push({ name, folder: await importFixture(scratch.path, checkpoint, options) });
  }
  service = await startService(serviceConfig({ models }), pino({ level: 'silent' }), () => {});
  client = new TestClient(service.grpcPort, 'siglip_hd.v1.VisualEncoderService');
  stream = new StreamCaller(client);
});
after(async () => {
  stream.halfClose();
  client.close();
  await service.close();
  scratch.remove();
});

/** The served models that must give a case's tokens. */
function modelsOf({ model = 'siglip-tiny', features = 'last_hidden_state' }: GoldenCase) {
  if (features !== 'last_hidden_state') return [`${model}-${features}`];
  if (model.includes('image size 518')) return ['clip-tiny-518'];
  return model === 'siglip-tiny' ? ['siglip-tiny', 'siglip-tiny-sharded'] : [model];
}

interface Answered {
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

type Ask = (golden: GoldenCase, model: string, dtype: 'float16' | 'float32') => Promise<Answered>;

const routes = { Encode: 'encode', TeacherEncode: 'teacher-encode', AnyResEncode: 'anyres-encode' } as const;

async function overHttp(...[golden, model, dtype]: Parameters<Ask>): Promise<Answered> {
  const query = new URLSearchParams({
    model,
    dtype,
    format: 'raw',
    ...(golden.exif && { exif: golden.exif }),
    ...goldenOptions(golden),
  });
  const path = `v1/${routes[golden.rpc]}?${query.toString()}`;
  const response = await fetch(`http://127.0.0.1:${service.httpPort}/${path}`, {
    method: 'POST',
    body: imageBytes(golden.image),
  });
  assert.equal(response.status, 200);
  const { shape } = JSON.parse(response.headers.get('tokens-meta') ?? '') as Answered;
  return { shape, bytes: new Uint8Array(await response.arrayBuffer()) };
}

/** The message that asks for a case, as encoder.proto spells it. */
function grpcRequest(...[golden, model, dtype]: Parameters<Ask>): object {
  const options = {
    model,
    dtype: `DTYPE_${dtype.toUpperCase()}`,
    ...(golden.exif && { exif: 'EXIF_IGNORE' }),
  };
  const image = { file: imageBytes(golden.image) };
  return { image, options, ...grpcRecipe(golden) };
}

async function overGrpc(...asked: Parameters<Ask>): Promise<Answered> {
  const [{ rpc }] = asked;
  const { response, error } = await client.call<EncodeResponse>(rpc, grpcRequest(...asked));
  assert.equal(error, undefined);
  return { shape: response!.tensor.shape, bytes: response!.tensor.data };
}

let streamed = 0;
async function overStream(...asked: Parameters<Ask>): Promise<Answered> {
  const id = String(streamed++);
  stream.send(id, { [streamKinds[asked[0].rpc]]: grpcRequest(...asked) });
  const { metadata, data } = await stream.answer(id);
  return { shape: metadata.shape, bytes: data };
}

const streamKinds = { Encode: 'encode', TeacherEncode: 'teacher', AnyResEncode: 'anyres' } as const;

/** The recipe's options as encoder.proto spells them. */
function grpcRecipe({
  rpc,
  scales,
  weights,
  fusion,
  windows,
  grid,
  max_tiles: maxTiles,
}: GoldenCase): object {
  if (rpc === 'AnyResEncode') return { anyres: { maxTiles: maxTiles ?? 0 } };
  if (rpc === 'Encode') return {};
  return {
    teacher: {
      scales,
      weights,
      fusion: `FUSION_${(fusion ?? 'average').toUpperCase()}`,
      windows: `WINDOWS_${windowsOf(windows ?? 'tiles').toUpperCase()}`,
      ...(grid && { grid: { width: grid[0], height: grid[1] } }),
    },
  };
}

const cases = goldenCases.flatMap((golden) => modelsOf(golden).map((model) => ({ golden, model })));

for (const [transport, ask] of Object.entries({ HTTP: overHttp, gRPC: overGrpc, 'the stream': overStream })) {
  for (const { golden, model } of cases) {
    for (const dtype of ['float32', 'float16'] as const) {
      test(`${transport} gives transformers' tokens: ${golden.expected} from ${model} as ${dtype}`, async () => {
        const { shape, bytes } = await ask(golden, model, dtype);
        assert.deepEqual(shape, golden.shape);
        const worst = worstError(valuesOf(bytes, dtype), expectedTokens(golden), dtype);
        assert.ok(worst <= 1, `off by ${worst} times the tolerance`);
      });
    }
  }
}

for (const { golden, model } of cases.filter((each) => each.golden.exif === undefined)) {
  test(`Plan says what the call answers: ${golden.expected} from ${model}`, async () => {
    const recipe = { Encode: 'encode', TeacherEncode: 'teacher', AnyResEncode: 'anyres' }[golden.rpc];
    const base = `http://127.0.0.1:${service.httpPort}/v1`;
    const options = { model, ...goldenOptions(golden) };
    const query = new URLSearchParams({ ...options, format: 'raw' }).toString();
    const answer = await fetch(`${base}/${routes[golden.rpc]}?${query}`, {
      method: 'POST',
      body: imageBytes(golden.image),
    });
    const metadata = JSON.parse(answer.headers.get('tokens-meta') ?? '') as { images: [Size] };
    const [{ width, height }] = metadata.images;
    const size = { recipe, width: String(width), height: String(height) };
    const planned = await fetch(`${base}/plan?${new URLSearchParams({ ...options, ...size }).toString()}`);
    const plan = (await planned.json()) as { metadata: unknown; size_bytes: number };
    assert.deepEqual(plan.metadata, metadata);
    assert.equal(plan.size_bytes, (await answer.arrayBuffer()).byteLength);
  });
}
