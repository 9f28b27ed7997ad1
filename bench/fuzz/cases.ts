import { seededRandom } from '../statistics.ts';
import { anyText, below, mutate, pick, type Random } from './mutate.ts';

/** Something to send, and how. The same seed and number make the same case. */
export type FuzzCase = { readonly number: number; readonly what: string } & (
  | {
      readonly kind: 'http';
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Buffer;
    }
  /** Bytes on a connection, as they are. */
  | { readonly kind: 'raw'; readonly bytes: Buffer }
  /** Messages of one call; a stream takes several. */
  | { readonly kind: 'grpc'; readonly method: string; readonly messages: readonly Buffer[] }
);

/** What cases are made of. */
export interface Corpus {
  /** Files of every format, by its name. */
  readonly images: Readonly<Record<string, Buffer>>;
  /** Messages that are right, by the method that takes them. */
  readonly messages: Readonly<Record<string, Buffer>>;
}

const routes = ['/v1/encode', '/v1/teacher-encode', '/v1/anyres-encode'];
const optionNames = [
  'format',
  'model',
  'dtype',
  'exif',
  'expect_digest',
  'expect_features',
  'scales',
  'weights',
  'fusion',
  'windows',
  'channel_order',
  'grid',
  'max_grid',
  'max_tiles',
  'assembly',
  'resample',
];

type Make = (
  corpus: Corpus,
  random: Random,
) =>
  | Omit<Extract<FuzzCase, { kind: 'http' }>, 'number'>
  | Omit<Extract<FuzzCase, { kind: 'raw' }>, 'number'>
  | Omit<Extract<FuzzCase, { kind: 'grpc' }>, 'number'>;

/** How often each kind comes, and how it is made. */
const makers: readonly (readonly [weight: number, make: Make])[] = [
  [40, mutatedImage],
  [12, mutatedForm],
  [12, mutatedJson],
  [12, oddOptions],
  [6, oddHeaders],
  [6, rawBytes],
  [12, mutatedMessages],
];

const allWeights = makers.reduce((sum, [weight]) => sum + weight, 0);

/** Case `number` of the seed. */
export function fuzzCase(corpus: Corpus, seed: number, number: number): FuzzCase {
  const random = seededRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  // The first numbers of neighbouring seeds are alike.
  for (let skipped = 0; skipped < 4; skipped++) random();
  let left = random() * allWeights;
  const [, make] = makers.find(([weight]) => (left -= weight) < 0)!;
  return { number, ...make(corpus, random) };
}

function anImage({ images }: Corpus, random: Random): { readonly format: string; readonly bytes: Buffer } {
  const format = pick(random, Object.keys(images));
  return { format, bytes: images[format]! };
}

function mutatedImage(corpus: Corpus, random: Random): ReturnType<Make> {
  const { format, bytes } = anImage(corpus, random);
  const body = mutate(bytes, random);
  return { kind: 'http', what: `a mutated ${format}`, path: pick(random, routes), headers: {}, body };
}

function mutatedForm(corpus: Corpus, random: Random): ReturnType<Make> {
  const boundary = pick(random, ['b', 'boundary', '-'.repeat(70), 'a b', '']);
  const parts = Array.from({ length: 1 + below(random, 20) }, () => [
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="${random() < 0.8 ? 'image' : anyText(random)}"; filename="a"\r\n${random() < 0.2 ? `${anyText(random)}: x\r\n` : ''}\r\n`,
    ),
    random() < 0.5 ? anImage(corpus, random).bytes.subarray(0, 4000) : Buffer.alloc(below(random, 9)),
    Buffer.from('\r\n'),
  ]).flat();
  const body = mutate(Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]), random);
  const type = `multipart/form-data; boundary=${boundary}`;
  return {
    kind: 'http',
    what: 'a mutated form',
    path: pick(random, routes),
    headers: { 'content-type': type },
    body,
  };
}

function mutatedJson(corpus: Corpus, random: Random): ReturnType<Make> {
  const image = anImage(corpus, random).bytes.subarray(0, 20_000).toString('base64');
  const depth = below(random, 5000);
  const text = pick(random, [
    () => JSON.stringify({ image }),
    () => JSON.stringify({ images: Array.from({ length: below(random, 20) }, () => image.slice(0, 400)) }),
    () => JSON.stringify({ image: anyText(random), [anyText(random)]: below(random, 9) }),
    () => '['.repeat(depth) + ']'.repeat(depth),
    () => `{"image":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`,
    () => `{"images":[${'1e400,'.repeat(below(random, 400))}null]}`,
    () => `{"image":"a","image":"${image.slice(0, 40)}","__proto__":{"image":1}}`,
    () => JSON.stringify(anyText(random)),
  ])();
  const body = mutate(Buffer.from(text), random);
  return {
    kind: 'http',
    what: 'mutated JSON',
    path: pick(random, routes),
    headers: { 'content-type': 'application/json' },
    body,
  };
}

function query(random: Random): string {
  const options = Array.from({ length: 1 + below(random, 6) }, () => {
    const name = random() < 0.9 ? pick(random, optionNames) : anyText(random);
    return `${encoded(name)}=${encoded(anyText(random))}`;
  });
  return options.join('&');
}

/** encodeURIComponent throws for half a surrogate pair. */
function encoded(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

function oddOptions(corpus: Corpus, random: Random): ReturnType<Make> {
  const plan = random() < 0.3;
  const path = plan
    ? `/v1/plan?recipe=${pick(random, ['encode', 'teacher', 'anyres', encoded(anyText(random))])}&width=${encoded(anyText(random))}&height=${below(random, 4000)}&${query(random)}`
    : `${pick(random, routes)}?${query(random)}`;
  const body = plan ? Buffer.alloc(0) : anImage(corpus, random).bytes;
  return { kind: 'http', what: 'odd options', path, headers: {}, body };
}

const headerNames = [
  'accept',
  'priority',
  'request-timeout-ms',
  'cache-control',
  'x-request-id',
  'content-type',
  'content-encoding',
  'expect',
  'if-none-match',
  'authorization',
];

function oddHeaders(corpus: Corpus, random: Random): ReturnType<Make> {
  const printable = (text: string) => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 8000);
  const headers = Object.fromEntries(
    Array.from({ length: 1 + below(random, 4) }, () => [
      pick(random, headerNames),
      printable(anyText(random)),
    ]),
  );
  return {
    kind: 'http',
    what: 'odd headers',
    path: pick(random, routes),
    headers,
    body: anImage(corpus, random).bytes,
  };
}

function rawBytes(corpus: Corpus, random: Random): ReturnType<Make> {
  const body = anImage(corpus, random).bytes.subarray(0, 2000);
  const text = pick(random, [
    () => `POST /v1/encode HTTP/1.1\r\nhost: a\r\ncontent-length: ${anyText(random)}\r\n\r\n`,
    () => `POST /v1/encode HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n${anyText(random)}\r\n`,
    () => `POST /v1/encode HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 9\r\n\r\n`,
    () => `${anyText(random)} ${anyText(random)} HTTP/1.1\r\n\r\n`,
    () => `GET ${'/'.repeat(below(random, 30_000))} HTTP/1.1\r\nhost: a\r\n\r\n`,
    () => `GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n`.repeat(below(random, 50)),
    () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ])();
  return {
    kind: 'raw',
    what: 'bytes that are hardly HTTP',
    bytes: mutate(Buffer.concat([Buffer.from(text), body]), random),
  };
}

function mutatedMessages({ messages }: Corpus, random: Random): ReturnType<Make> {
  const method = pick(random, Object.keys(messages));
  const count = method === 'StreamEncode' ? 1 + below(random, 6) : 1;
  const sent = Array.from({ length: count }, () => mutate(messages[method]!, random));
  return { kind: 'grpc', what: `mutated messages of ${method}`, method, messages: sent };
}
