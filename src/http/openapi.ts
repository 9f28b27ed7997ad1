import { featureLayers, precisions } from '../model/model.ts';
import { encodeOptionTable, type RequestOption } from '../request-options.ts';
import { tokenFormats } from '../tokens/format.ts';
import { tokenDtypes } from '../tokens/tensor.ts';
import { formatTypes } from './accept.ts';
import { type ProblemCode, problemKinds } from './problem.ts';
import { type Endpoint, routes } from './routes.ts';

type Json = Readonly<Record<string, unknown>>;

/** Query parameters of an encode: the request's options, and the format. */
const encodeParameters: readonly Json[] = [
  {
    name: 'format',
    in: 'query',
    description: 'Format of the answer; goes before the Accept header.',
    schema: { enum: tokenFormats, default: tokenFormats[0] },
  },
  ...encodeOptionTable.map((option: RequestOption) => ({
    name: option.name,
    in: 'query',
    description: option.description,
    schema: {
      type: 'string',
      ...(option.values === undefined ? {} : { enum: option.values }),
      ...(option.pattern === undefined ? {} : { pattern: `^${option.pattern}$` }),
      ...(option.default === undefined ? {} : { default: option.default }),
    },
  })),
];

/** The description of the API (OpenAPI 3.1), made from the tables of routes, problems and formats. */
export function openApi(): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { endpoint, method, path, aliasOf } of routes) {
    const operation = { operationId: endpoint, ...operations[endpoint] };
    const alias = { ...operation, operationId: `${endpoint}_alias`, summary: `Alias of ${aliasOf}` };
    paths[path] = { ...paths[path], [method.toLowerCase()]: aliasOf === undefined ? operation : alias };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'siglip-hd',
      version: '1.0.0',
      description: 'Visual tokens of SigLIP 2 and SigLIP-HD encoders for multimodal language models.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: { schemas, headers, responses: problemResponses() },
  };
}

const size = object({ width: { type: 'integer' }, height: { type: 'integer' } });
const shape = {
  type: 'array',
  items: { type: 'integer' },
  description: '[tokens, channels], or [images, tokens, channels] when a list was sent.',
};

const schemas = {
  Problem: object({
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { enum: Object.keys(problemKinds) },
    request_id: { type: 'string' },
  }),
  Metadata: object({
    model: object({ name: { type: 'string' }, digest: { type: 'string' }, trained: { type: 'boolean' } }),
    features: { enum: featureLayers },
    precision: { type: 'string' },
    dtype: { enum: tokenDtypes },
    shape,
    grid: size,
    images: { type: 'array', items: size, description: 'Decoded size of each image, in pixels.' },
  }),
  Tokens: object({
    metadata: { $ref: '#/components/schemas/Metadata' },
    shape,
    dtype: { enum: tokenDtypes },
    encoding: { const: 'base64' },
    data: {
      type: 'string',
      contentEncoding: 'base64',
      description: 'Little-endian values, row by row.',
    },
  }),
  Model: object({
    name: { type: 'string' },
    default: { type: 'boolean' },
    digest: { type: 'string' },
    architecture: { type: 'string' },
    trained: { type: 'boolean', description: 'False where the weights are random.' },
    image_size: { type: 'integer' },
    patch_size: { type: 'integer' },
    grid: size,
    tokens: { type: 'integer' },
    channels: { type: 'integer' },
    layers: { type: 'integer' },
    features: { enum: featureLayers },
    precision: { enum: precisions },
    resample: { enum: ['bilinear', 'bicubic'] },
  }),
  Images: {
    oneOf: [
      object({ image: { type: 'string', contentEncoding: 'base64' } }),
      object({
        images: { type: 'array', minItems: 1, items: { type: 'string', contentEncoding: 'base64' } },
      }),
    ],
  },
};

const headers = {
  'x-request-id': {
    description: "The caller's own when it sent one of 1 to 128 visible ASCII characters, otherwise made.",
    schema: { type: 'string' },
  },
  'tokens-meta': {
    description: 'Metadata as JSON in ASCII, under 2 KB; with npy and raw.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Metadata' } } },
  },
  'server-timing': {
    description: 'Milliseconds of decode, views, queue, engine and write.',
    schema: { type: 'string' },
  },
};

const binary = { type: 'string', format: 'binary' };

const operations: Record<Endpoint, Json> = {
  encode: {
    summary: 'Encode one or more images into visual tokens',
    description:
      'The body is the image itself, whatever its content type says: JPEG, PNG, WebP, GIF, TIFF or AVIF, or a uint8 ' +
      '.npy of [height, width, 3] or [n, height, width, 3]. Only multipart/form-data and application/json are ' +
      'envelopes. Several images are answered as [n, tokens, channels].',
    parameters: encodeParameters,
    requestBody: {
      required: true,
      content: {
        'application/octet-stream': { schema: binary },
        'image/*': { schema: binary },
        'multipart/form-data': {
          schema: object({ image: { type: 'array', minItems: 1, items: binary } }),
        },
        'application/json': { schema: { $ref: '#/components/schemas/Images' } },
      },
    },
    responses: {
      200: {
        description: 'The tokens.',
        headers: {
          ...requestIdHeader(),
          'tokens-meta': { $ref: '#/components/headers/tokens-meta' },
          'server-timing': { $ref: '#/components/headers/server-timing' },
        },
        content: Object.fromEntries(
          tokenFormats.map((format) => [
            formatTypes[format][0],
            { schema: format === 'json' ? { $ref: '#/components/schemas/Tokens' } : binary },
          ]),
        ),
      },
      ...problems(
        'invalid_argument',
        'not_found',
        'not_acceptable',
        'request_timeout',
        'failed_precondition',
        'too_large',
        'unsupported_media',
        'overloaded',
        'internal',
        'unavailable',
        'deadline_exceeded',
      ),
    },
  },
  models: {
    summary: 'The served models, the default first',
    responses: ok(
      'application/json',
      object({ models: { type: 'array', items: { $ref: '#/components/schemas/Model' } } }),
    ),
  },
  healthz: {
    summary: 'Whether the process answers',
    responses: ok('application/json', object({ status: { const: 'ok' } })),
  },
  readyz: {
    summary: 'Whether requests are accepted: warmed up, and not stopping',
    responses: {
      ...ok('application/json', object({ status: { const: 'ready' } })),
      ...problems('unavailable'),
    },
  },
  metrics: {
    summary: "Metrics in Prometheus' text format",
    responses: ok('text/plain', { type: 'string' }),
  },
  openapi: { summary: 'This description', responses: ok('application/json', { type: 'object' }) },
  docs: {
    summary: 'A page to read this description and try it',
    responses: ok('text/html', { type: 'string' }),
  },
};

function object(properties: Json): Json {
  return { type: 'object', required: Object.keys(properties), properties };
}

function ok(contentType: string, schema: Json): Json {
  return { 200: { description: 'OK', headers: requestIdHeader(), content: { [contentType]: { schema } } } };
}

function requestIdHeader(): Json {
  return { 'x-request-id': { $ref: '#/components/headers/x-request-id' } };
}

function problems(...codes: readonly ProblemCode[]): Json {
  return Object.fromEntries(
    codes.map((code) => [problemKinds[code].status, { $ref: `#/components/responses/${code}` }]),
  );
}

function problemResponses(): Json {
  return Object.fromEntries(
    Object.entries(problemKinds).map(([code, { title }]) => [
      code,
      {
        description: title,
        headers: requestIdHeader(),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}
