import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { type Service, startService } from '../../src/service.ts';
import { type EncodeResponse, TestClient } from '../support/grpc-client.ts';
import { serviceConfig } from '../support/service-config.ts';
import { scratchFolder } from '../support/tiny-models.ts';
import { importVlm, type VlmCase, vlmCases, vlmError, vlmImage } from '../support/vlm-golden.ts';

const scratch = scratchFolder();
const checkpoints = [...new Set(vlmCases.map(({ checkpoint }) => checkpoint))];
let service: Service;
let client: TestClient;

before(async () => {
  const models = [];
  for (const name of checkpoints) {
    models.push({ name, folder: await importVlm(scratch.path, name) });
  }
  service = await startService(serviceConfig({ models }), pino({ level: 'silent' }), () => {});
  client = new TestClient(service.grpcPort, 'siglip_hd.v1.VisualEncoderService');
});
after(async () => {
  client.close();
  await service.close();
  scratch.remove();
});

interface Answered {
  readonly metadata: { readonly shape: readonly number[]; readonly output: string };
  readonly bytes: Uint8Array;
}

type Ask = (golden: VlmCase, dtype: 'float16' | 'float32') => Promise<Answered>;

const routes = { Encode: 'encode', TeacherEncode: 'teacher-encode', AnyResEncode: 'anyres-encode' } as const;
const recipes = { Encode: 'encode', TeacherEncode: 'teacher', AnyResEncode: 'anyres' } as const;

function post(path: string, query: Readonly<Record<string, string>>, body: Buffer): Promise<Response> {
  const url = `http://127.0.0.1:${service.httpPort}/v1/${path}?${new URLSearchParams(query).toString()}`;
  return fetch(url, { method: 'POST', body });
}

async function overHttp(...[golden, dtype]: Parameters<Ask>): Promise<Answered> {
  const { checkpoint: model, rpc, request } = golden;
  const response = await post(routes[rpc], { model, dtype, format: 'raw', ...request }, vlmImage(golden));
  if (response.status !== 200) assert.fail(await response.text());
  const metadata = JSON.parse(response.headers.get('tokens-meta') ?? '') as Answered['metadata'];
  return { metadata, bytes: new Uint8Array(await response.arrayBuffer()) };
}

async function overGrpc(...[golden, dtype]: Parameters<Ask>): Promise<Answered> {
  const { checkpoint: model, rpc, request } = golden;
  const { output, ...named } = request;
  const options = {
    model,
    dtype: `DTYPE_${dtype.toUpperCase()}`,
    output: `OUTPUT_${output!.toUpperCase()}`,
  };
  const message = { image: { file: vlmImage(golden) }, options, ...grpcRecipe(rpc, named) };
  const { response, error } = await client.call<EncodeResponse>(rpc, message);
  assert.equal(error, undefined);
  const { metadata, tensor } = response!;
  return {
    metadata: { shape: tensor.shape, output: metadata.output.toLowerCase().replace('output_', '') },
    bytes: tensor.data,
  };
}

/** The recipe's options as encoder.proto spells them. */
function grpcRecipe(rpc: VlmCase['rpc'], named: Readonly<Record<string, string>>): object {
  if (Object.keys(named).length === 0) return {};
  if (rpc === 'TeacherEncode') {
    const numbers = (text: string | undefined) => text?.split(',').map(Number);
    return { teacher: { scales: numbers(named['scales']), weights: numbers(named['weights']) } };
  }
  const [columns, rows] = named['max_grid']!.split('x').map(Number);
  return { anyres: { maxGrid: { columns, rows }, maxTiles: Number(named['max_tiles']) } };
}

for (const [transport, ask] of Object.entries({ HTTP: overHttp, gRPC: overGrpc })) {
  for (const golden of vlmCases) {
    for (const dtype of ['float32', 'float16'] as const) {
      test(`${transport} gives transformers' rows: ${golden.expected} as ${dtype}`, async () => {
        const { metadata, bytes } = await ask(golden, dtype);
        assert.deepEqual(metadata.shape, golden.shape);
        assert.equal(metadata.output, golden.request['output']);
        const worst = vlmError(golden, bytes, dtype);
        assert.ok(worst <= 1, `off by ${worst} times the tolerance`);
      });
    }
  }
}

for (const golden of vlmCases) {
  test(`Plan says what the call answers: ${golden.expected}`, async () => {
    const { metadata, bytes } = await overHttp(golden, 'float32');
    const [size] = (metadata as unknown as { images: [{ width: number; height: number }] }).images;
    const query = new URLSearchParams({
      recipe: recipes[golden.rpc],
      width: String(size.width),
      height: String(size.height),
      model: golden.checkpoint,
      dtype: 'float32',
      ...golden.request,
    });
    const planned = await fetch(`http://127.0.0.1:${service.httpPort}/v1/plan?${query.toString()}`);
    const plan = (await planned.json()) as { metadata: unknown; tokens: number; size_bytes: number };
    assert.deepEqual(plan.metadata, metadata);
    assert.equal(plan.tokens, golden.shape[0]);
    assert.equal(plan.size_bytes, bytes.byteLength);
  });
}
