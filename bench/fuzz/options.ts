import type { Corpus, FuzzInput } from './case.ts';
import { anImage, encodeRoutes } from './ingredients.ts';
import { below, pick, type Random, several } from './random.ts';
import { anyText, headerText, percentEncoded } from './texts.ts';

const optionNames = [
  'format',
  'model',
  'dtype',
  'exif',
  'expect_digest',
  'expect_features',
  'features',
  'output',
  'class_token',
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
  'image',
  'recipe',
];

/** A right picture with options that may be anything; or a plan, or an answer asked for by digest, with the same. */
export function oddOptions(corpus: Corpus, random: Random): FuzzInput {
  const kind = random();
  const body = kind < 0.45 ? Buffer.alloc(0) : anImage(corpus, random).bytes;
  const path = () => {
    if (kind < 0.3) return `/v1/plan?${planned(random)}${query(random)}`;
    const route = pick(random, encodeRoutes);
    return kind < 0.45
      ? `${route}?image=${percentEncoded(digest(random))}&${query(random)}`
      : `${route}?${query(random)}`;
  };
  const method = kind < 0.45 ? 'GET' : 'POST';
  return { kind: 'http', what: 'odd options', method, path: path(), headers: {}, body };
}

function planned(random: Random): string {
  const recipe =
    random() < 0.8 ? pick(random, ['encode', 'teacher', 'anyres']) : percentEncoded(anyText(random));
  const side = () => (random() < 0.7 ? String(below(random, 4000)) : percentEncoded(anyText(random)));
  return `recipe=${recipe}&width=${side()}&height=${side()}&`;
}

function digest(random: Random): string {
  return random() < 0.5 ? `sha256:${below(random, 10).toString().repeat(64)}` : anyText(random);
}

function query(random: Random): string {
  const options = several(1 + below(random, 5), () => {
    const name = random() < 0.9 ? pick(random, optionNames) : percentEncoded(anyText(random));
    return `${name}=${percentEncoded(anyText(random))}`;
  });
  const odd = ['%', '%zz', '%ff%fe', '&&&', '=', 'a[b]=c', 'scales[]=512', 'dtype', '?', '+', ';', '%u0041'];
  if (random() < 0.2) options.push(pick(random, odd));
  if (random() < 0.1) options.push(options[0]!);
  return options.join('&').slice(0, 20_000);
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
  'x-api-key',
  'origin',
  'range',
  'te',
  'upgrade',
  'accept-encoding',
];

/** What such a header may well say. */
const headerTexts = [
  '*/*;q=0',
  'application/json;q=0.5,*/*;q=0.1',
  'application/x-npy;q=9',
  'bulk',
  'interactive',
  '1',
  '50',
  '86400000',
  'no-store',
  'gzip',
  '100-continue',
  'W/"a"',
  '*',
  'bytes=0-9',
  'websocket',
  'h2c',
  'Bearer x',
];

/** A right picture with headers that may be anything. */
export function oddHeaders(corpus: Corpus, random: Random): FuzzInput {
  const text = () => (random() < 0.5 ? pick(random, headerTexts) : headerText(random));
  const headers = Object.fromEntries(
    several(1 + below(random, 4), () => [pick(random, headerNames), text()]),
  );
  const path = pick(random, encodeRoutes);
  return {
    kind: 'http',
    what: 'odd headers',
    method: 'POST',
    path,
    headers,
    body: anImage(corpus, random).bytes,
  };
}

const paths = [
  '/',
  '/v1',
  '/v1/models',
  '/healthz',
  '/metrics',
  '/docs',
  '/openapi.json',
  '/encode',
  '/v1/plan',
];
const oddPaths = [
  '/v1/encode/',
  '//v1/encode',
  '/v1/../v1/encode',
  '/v1/%65ncode',
  '/v1/encode;a=b',
  '/%00',
  '/%',
  '*',
];
const methods = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'POST', 'QUERY'];

/** A path or method that is not there, with or without a body. */
export function oddRoutes(corpus: Corpus, random: Random): FuzzInput {
  const path = pick(random, [...paths, ...oddPaths, ...encodeRoutes, `/${percentEncoded(anyText(random))}`]);
  const method = pick(random, methods);
  const hasBody = method !== 'GET' && method !== 'HEAD' && method !== 'TRACE' && random() < 0.5;
  const body = hasBody ? anImage(corpus, random).bytes : Buffer.alloc(0);
  return { kind: 'http', what: `${method} of an odd route`, method, path, headers: {}, body };
}
