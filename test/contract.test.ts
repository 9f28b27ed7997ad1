// One table of what callers may get wrong, and what they are told, asked of both transports.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import sharp from 'sharp';
import type { ErrorCode } from '../src/errors.ts';
import { grpcStatus } from '../src/grpc/errors.ts';
import { problemKinds } from '../src/http/problem.ts';
import { type Service, startService } from '../src/service.ts';
import { imageBytes } from './support/golden.ts';
import { type EncodeResponse, statusDetails, TestClient } from './support/grpc-client.ts';
import { serviceConfig } from './support/service-config.ts';
import { importFixture, scratchFolder } from './support/tiny-models.ts';

interface ContractCase {
  readonly what: string;
  readonly image: () => Buffer | Promise<Buffer>;
  readonly query?: Readonly<Record<string, string>>;
  /** The same options as gRPC spells them. */
  readonly options?: object;
  readonly answer: ErrorCode | 'ok';
  readonly says?: RegExp;
}

const rocket = () => imageBytes('rocket.jpg');
const svg = () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
const otherDigest = `sha256:${'1'.repeat(64)}`;

const cases: readonly ContractCase[] = [
  { what: 'a photograph', image: rocket, answer: 'ok' },
  { what: 'text', image: () => Buffer.from('hello, world'), answer: 'invalid_argument', says: /image/ },
  { what: 'nothing', image: () => Buffer.alloc(0), answer: 'invalid_argument', says: /empty/ },
  {
    what: 'half a JPEG',
    image: () => rocket().subarray(0, 50_000),
    answer: 'invalid_argument',
    says: /JPEG|cut|truncated|decode/i,
  },
  { what: 'an SVG', image: svg, answer: 'unsupported_media', says: /SVG.*JPEG/s },
  {
    what: 'a PNG of 20,000 x 20,000 pixels',
    image: () =>
      sharp({
        create: { width: 20_000, height: 20_000, channels: 3, background: '#000' },
        limitInputPixels: false,
      })
        .png({ compressionLevel: 9, colours: 2 })
        .toBuffer(),
    answer: 'too_large',
    says: /20,000 x 20,000/,
  },
  {
    what: 'a model that is not served',
    image: rocket,
    query: { model: 'other' },
    options: { model: 'other' },
    answer: 'not_found',
    says: /siglip-tiny/,
  },
  {
    what: 'the digest of another model',
    image: rocket,
    query: { expect_digest: otherDigest },
    options: { expectDigest: otherDigest },
    answer: 'failed_precondition',
    says: /sha256:/,
  },
  {
    what: 'the layer of another model',
    image: rocket,
    query: { expect_features: 'penultimate' },
    options: { expectFeatures: 'FEATURE_LAYER_PENULTIMATE' },
    answer: 'failed_precondition',
    says: /last_hidden_state/,
  },
  {
    what: 'half a digest',
    image: rocket,
    query: { expect_digest: 'sha256:12' },
    options: { expectDigest: 'sha256:12' },
    answer: 'invalid_argument',
    says: /expect_digest/,
  },
  {
    what: 'a dtype that is not there',
    image: rocket,
    query: { dtype: '9' },
    options: { dtype: 9 },
    answer: 'invalid_argument',
    says: /dtype/,
  },
];

const scratch = scratchFolder();
let service: Service;
let client: TestClient;
before(async () => {
  const folder = await importFixture(scratch.path, 'siglip-tiny');
  const config = serviceConfig({ models: [{ name: 'siglip-tiny', folder }], maxPixels: 89_478_485 });
  service = await startService(config, pino({ level: 'silent' }), () => {});
  client = new TestClient(service.grpcPort, 'siglip_hd.v1.VisualEncoderService');
});
after(async () => {
  client.close();
  await service.close();
  scratch.remove();
});

async function overHttp({ query = {} }: ContractCase, image: Buffer) {
  const parameters = new URLSearchParams({ ...query, format: 'raw' }).toString();
  const response = await fetch(`http://127.0.0.1:${service.httpPort}/v1/encode?${parameters}`, {
    method: 'POST',
    body: image,
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.status === 200) return { code: 'ok', detail: '', status: 200, bytes };
  const { code, detail } = JSON.parse(bytes.toString()) as { code: ErrorCode; detail: string };
  return { code, detail, status: response.status, bytes };
}

async function overGrpc({ options = {} }: ContractCase, image: Buffer) {
  const outcome = await client.call<EncodeResponse>('Encode', { image: { file: image }, options });
  const { response, error, trailers } = outcome;
  if (response !== undefined) return { code: 'ok', detail: '', status: 0, bytes: response.tensor.data };
  const { errorInfo, message } = statusDetails(trailers);
  return { code: errorInfo?.reason, detail: message, status: error?.code, bytes: Buffer.alloc(0) };
}

for (const each of cases) {
  test(`HTTP and gRPC answer ${each.what} alike`, async () => {
    const image = await each.image();
    const [http, grpc] = [await overHttp(each, image), await overGrpc(each, image)];
    assert.equal(http.code, each.answer, http.detail);
    assert.equal(grpc.code, each.answer, grpc.detail);
    assert.deepEqual(http.bytes, each.answer === 'ok' ? grpc.bytes : http.bytes);
    if (each.answer !== 'ok') {
      assert.equal(http.status, problemKinds[each.answer].status);
      assert.equal(grpc.status, grpcStatus(each.answer));
    }
    for (const { detail } of [http, grpc]) if (each.says !== undefined) assert.match(detail, each.says);
  });
}
