// One table of what callers may get wrong, and what they are told, asked of both transports.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import type { ErrorCode } from '../../src/errors/service-error.ts';
import { grpcStatus } from '../../src/transport/grpc/status.ts';
import { problemKinds } from '../../src/transport/http/problem.ts';
import { readKeyList } from '../../src/transport/security/api-key.ts';
import { type Service, startService } from '../../src/service.ts';
import { imageBytes } from '../support/golden.ts';
import { type EncodeResponse, statusDetails, TestClient } from '../support/grpc-client.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';
import { until } from '../support/until.ts';

type Rpc = 'Encode' | 'TeacherEncode' | 'AnyResEncode';

interface ContractCase {
  readonly what: string;
  /** Encode when absent. */
  readonly rpc?: Rpc;
  readonly image: () => Buffer | Promise<Buffer>;
  /** Asked for by the image's digest, or by this one, in place of the image. */
  readonly byDigest?: true | string;
  readonly query?: Readonly<Record<string, string>>;
  /** The same options as gRPC spells them, and those that only the recipe has. */
  readonly options?: object;
  readonly recipe?: object;
  /** HTTP headers, and gRPC metadata. */
  readonly terms?: Readonly<Record<string, string>>;
  readonly answer: ErrorCode | 'ok';
  readonly says?: RegExp;
}

const rocket = () => imageBytes('rocket.jpg');
const svg = () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
const otherDigest = `sha256:${'1'.repeat(64)}`;

const cases: readonly ContractCase[] = [
  { what: 'a photograph', image: rocket, answer: 'ok' },
  { what: 'the digest of what was encoded', image: rocket, byDigest: true, answer: 'ok' },
  {
    what: 'a digest that is to be answered from nothing kept',
    image: rocket,
    byDigest: true,
    terms: { 'cache-control': 'no-store' },
    answer: 'ok',
  },
  {
    what: 'the digest of what was not encoded',
    image: rocket,
    byDigest: otherDigest,
    answer: 'not_found',
    says: /send the image itself/,
  },
  { what: 'a digest that is none', image: rocket, byDigest: 'sha256:1', answer: 'invalid_argument' },
  { what: 'no key', image: rocket, terms: { 'x-api-key': '' }, answer: 'unauthenticated', says: /key/ },
  {
    what: 'another key',
    image: rocket,
    terms: { 'x-api-key': 'eve-0123456789abcdef' },
    answer: 'unauthenticated',
    says: /key/,
  },
  {
    what: 'a bulk request',
    image: rocket,
    terms: { priority: 'bulk', 'cache-control': 'no-store' },
    answer: 'ok',
  },
  {
    what: 'a priority that is not there',
    image: rocket,
    terms: { priority: 'urgent' },
    answer: 'invalid_argument',
    says: /interactive, bulk/,
  },
  {
    what: 'no time at all',
    image: rocket,
    terms: { 'request-timeout-ms': '0' },
    answer: 'invalid_argument',
    says: /from 1 to/,
  },
  {
    what: 'a millisecond',
    image: rocket,
    terms: { 'request-timeout-ms': '1', 'cache-control': 'no-store' },
    answer: 'deadline_exceeded',
  },
  { what: 'text', image: () => Buffer.from('hello, world'), answer: 'invalid_argument', says: /image/ },
  { what: 'nothing', image: () => Buffer.alloc(0), answer: 'invalid_argument', says: /empty/ },
  {
    what: 'half a JPEG',
    image: () => rocket().subarray(0, 50_000),
    answer: 'invalid_argument',
    says: /JPEG|cut|truncated|decode/i,
  },
  {
    what: 'a file of 30 MB',
    image: () => Promise.resolve(Buffer.alloc(30_000_000, 7)),
    answer: 'too_large',
    says: /over the limit of [0-9.]+ [KM]iB|30,000,[0-9]+ bytes; the limit is [0-9,]+ \(--max-body-bytes\)/,
  },
  { what: 'an SVG', image: svg, answer: 'unsupported_media', says: /SVG.*JPEG/s },
  {
    what: 'a PNG of 20,000 x 20,000 pixels',
    image: async () => {
      const small = await sharp({ create: { width: 1, height: 1, channels: 3, background: '#000' } })
        .png()
        .toBuffer();
      // The header is all that is read of it: its sides, and the checksum of its 17 bytes from the 12th on.
      small.writeUInt32BE(20_000, 16);
      small.writeUInt32BE(20_000, 20);
      small.writeUInt32BE(crc32(small.subarray(12, 29)), 29);
      return small;
    },
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

/** A TeacherEncode of a photograph, by its query and its gRPC options. */
function teacher(
  what: string,
  query: Readonly<Record<string, string>>,
  recipe: object,
  answer: ContractCase['answer'],
  says?: RegExp,
): ContractCase {
  const asked = {
    what: `a teacher with ${what}`,
    rpc: 'TeacherEncode',
    image: rocket,
    query,
    recipe,
    answer,
  } as const;
  return says === undefined ? asked : { ...asked, says };
}

/** An AnyResEncode of a page, by its query and its gRPC options. */
function anyres(
  what: string,
  query: Readonly<Record<string, string>>,
  recipe: object,
  answer: ContractCase['answer'],
  says?: RegExp,
): ContractCase {
  const image = () => imageBytes('document.png');
  const asked = {
    what: `an AnyRes with ${what}`,
    rpc: 'AnyResEncode',
    image,
    query,
    recipe,
    answer,
  } as const;
  return says === undefined ? asked : { ...asked, says };
}

const recipeCases: readonly ContractCase[] = [
  teacher('nothing asked', {}, {}, 'ok'),
  teacher('one scale', { scales: '1024' }, { scales: [1024] }, 'ok'),
  teacher(
    'scale 700',
    { scales: '700' },
    { scales: [700] },
    'invalid_argument',
    /700.*512, 1024, 1536, 2048/s,
  ),
  teacher(
    'a scale twice',
    { scales: '512,512' },
    { scales: [512, 512] },
    'invalid_argument',
    /512 is given twice/,
  ),
  teacher(
    'weights that do not match',
    { weights: '1,2,3' },
    { weights: [1, 2, 3] },
    'invalid_argument',
    /one weight for each scale \(512, 1024\); there are 3/,
  ),
  teacher('a weight of 0', { weights: '1,0' }, { weights: [1, 0] }, 'invalid_argument', /The weight 0/),
  teacher(
    'weights for concat',
    { weights: '1,1', fusion: 'concat' },
    { weights: [1, 1], fusion: 2 },
    'invalid_argument',
    /fusion=average/,
  ),
  teacher(
    'a fusion that is not there',
    { fusion: '9' },
    { fusion: 9 },
    'invalid_argument',
    /fusion.*average/s,
  ),
  teacher(
    'windows that are not there',
    { windows: '9' },
    { windows: 9 },
    'invalid_argument',
    /windows.*tiles/s,
  ),
  teacher(
    'the whole without its model',
    { windows: 'whole' },
    { windows: 'WINDOWS_WHOLE' },
    'invalid_argument',
    /--image-size 1024/,
  ),
  teacher(
    '35 views',
    { windows: 'half_overlap', scales: '512,1024,1536' },
    { windows: 'WINDOWS_HALF_OVERLAP', scales: [512, 1024, 1536] },
    'too_large',
    /35 views .* the limit is 30/,
  ),
  teacher(
    'a grid larger than any map',
    { grid: '129x32' },
    { grid: { width: 129, height: 32 } },
    'too_large',
    /the largest grid is 128x128/,
  ),
  teacher(
    'a grid of four digits',
    { grid: '4096x4096' },
    { grid: { width: 4096, height: 4096 } },
    'too_large',
    /the largest grid is 128x128/,
  ),
  anyres('nothing asked', {}, {}, 'ok'),
  anyres(
    'an answer over the limit',
    { max_tiles: '0' },
    { maxTiles: 0 },
    'too_large',
    /the limit is 400,000/,
  ),
  anyres(
    'a grid of 4 x 1',
    { max_grid: '4x1' },
    { maxGrid: { columns: 4, rows: 1 } },
    'invalid_argument',
    /4x1.*3x3/s,
  ),
  anyres('an assembly that is not there', { assembly: '9' }, { assembly: 9 }, 'invalid_argument', /assembly/),
];

const key = 'ada-0123456789abcdef';
const scratch = scratchFolder();
let service: Service;
let client: TestClient;
before(async () => {
  const folder = await importFixture(scratch.path, 'siglip-tiny');
  const reading = readKeyList(`ada:${key}`);
  assert.ok(reading.ok);
  const config = serviceConfig({
    models: [{ name: 'siglip-tiny', folder }],
    maxPixels: 89_478_485,
    maxAnswerBytes: 400_000,
    maxBodyBytes: 300_000,
    maxInflightBytes: 400_000,
    cacheBytes: 2 ** 24,
    apiKeys: reading.keys,
  });
  service = await startService(config, pino({ level: 'silent' }), () => {});
  client = new TestClient(service.grpcPort, 'siglip_hd.v1.VisualEncoderService');
});
after(async () => {
  client.close();
  await service.close();
  scratch.remove();
});

const routes = { Encode: 'encode', TeacherEncode: 'teacher-encode', AnyResEncode: 'anyres-encode' } as const;

function digestOf({ byDigest }: ContractCase, image: Buffer): string | undefined {
  return byDigest === true ? `sha256:${createHash('sha256').update(image).digest('hex')}` : byDigest;
}

async function overHttp(asked: ContractCase, image: Buffer) {
  const { rpc = 'Encode', query = {}, terms = {} } = asked;
  const digest = digestOf(asked, image);
  const named = digest === undefined ? {} : { image: digest };
  const parameters = new URLSearchParams({ ...query, ...named, format: 'raw' }).toString();
  const response = await fetch(`http://127.0.0.1:${service.httpPort}/v1/${routes[rpc]}?${parameters}`, {
    ...(digest === undefined ? { method: 'POST', body: image } : {}),
    headers: { 'x-api-key': key, ...terms },
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.status === 200) return { code: 'ok', detail: '', status: 200, bytes };
  const { code, detail } = JSON.parse(bytes.toString()) as { code: ErrorCode; detail: string };
  return { code, detail, status: response.status, bytes };
}

const recipeFields = { Encode: 'options', TeacherEncode: 'teacher', AnyResEncode: 'anyres' } as const;

async function overGrpc(asked: ContractCase, image: Buffer) {
  const { rpc = 'Encode', options = {}, recipe = options, terms = {} } = asked;
  const digest = digestOf(asked, image);
  const source = digest === undefined ? { file: image } : { digest };
  const request = { image: source, options, [recipeFields[rpc]]: recipe };
  const metadata = { 'x-api-key': key, ...terms };
  const outcome = await client.call<EncodeResponse>(rpc, request, { metadata });
  const { response, error, trailers } = outcome;
  if (response !== undefined) return { code: 'ok', detail: '', status: 0, bytes: response.tensor.data };
  const { errorInfo, message } = statusDetails(trailers);
  return { code: errorInfo?.reason, detail: message, status: error?.code, bytes: Buffer.alloc(0) };
}

for (const each of [...cases, ...recipeCases]) {
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

test('HTTP and gRPC refuse alike what finds no room, and say when to come back', async (t) => {
  const slow = connect(service.httpPort, '127.0.0.1');
  t.after(() => slow.destroy());
  slow.write(`POST /v1/encode HTTP/1.1\r\nhost: x\r\nx-api-key: ${key}\r\ncontent-length: 300000\r\n\r\n`);
  slow.write(Buffer.alloc(290_000));
  const metrics = async () => await (await fetch(`http://127.0.0.1:${service.httpPort}/metrics`)).text();
  await until(async () => /held_bytes\{what="requests"\} 300000\n/.test(await metrics()));
  const headers = { 'x-api-key': key };
  const http = await fetch(`http://127.0.0.1:${service.httpPort}/v1/encode`, {
    method: 'POST',
    headers,
    body: rocket(),
  });
  const told = (await http.json()) as { code: string; detail: string };
  assert.deepEqual([http.status, told.code, http.headers.get('retry-after-ms')], [429, 'overloaded', '1000']);
  const request = { image: { file: rocket() } };
  const { error, trailers } = await client.call<EncodeResponse>('Encode', request, { metadata: headers });
  assert.deepEqual(
    [error?.code, trailers.get('grpc-retry-pushback-ms')],
    [grpcStatus('overloaded'), ['1000']],
  );
  assert.equal(statusDetails(trailers).message, told.detail);
});
