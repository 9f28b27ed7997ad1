import { answerSources } from '../../../telemetry/stage-timings.ts';
import { type RecipeOptions } from '../../../recipes/recipe-options.ts';
import { tokenFormats } from '../../../tokens/formats/format.ts';
import { type AnswerFormat, answerFormats, formatTypes } from '../answer-format.ts';
import { cachedParameters, encodeParameters, planParameters, requestIdParameter } from './parameters.ts';
import { type Json, object, schemas } from './schemas.ts';
import { type ProblemCode, problemKinds } from '../problem.ts';
import { encodeEndpoints, type Endpoint, openEndpoints, type Route, routes } from '../routes.ts';

function operationOf(endpoint: Endpoint, method: Route['method']): Json & { operationId: string } {
  const recipe = Object.entries(encodeEndpoints).find(([name]) => name === endpoint)?.[1];
  if (method === 'GET' && recipe !== undefined) return cachedOperation(endpoint, recipe);
  const operation = operations[endpoint];
  const parameters = [...((operation['parameters'] as Json[] | undefined) ?? []), requestIdParameter];
  return { operationId: endpoint, ...operation, parameters };
}

/** Of GET: what POST of the same path answered before. */
function cachedOperation(
  endpoint: Endpoint,
  recipe: RecipeOptions['recipe'],
): Json & { operationId: string } {
  return {
    operationId: `${endpoint}_cached`,
    summary: 'The tokens of an image that was encoded before',
    description: 'Answers from the cache, by the digest of the file, or not_found.',
    parameters: cachedParameters(recipe),
    responses: {
      ...tokensResponse(tokenFormats),
      304: { description: 'If-None-Match names these tokens.', headers: requestIdHeader() },
      ...problems(
        'invalid_argument',
        'not_found',
        'not_acceptable',
        'failed_precondition',
        'too_large',
        'overloaded',
        'internal',
        'unavailable',
        'deadline_exceeded',
      ),
    },
  };
}

/** The description of the API (OpenAPI 3.1), made from the tables of routes, problems and formats. */
export function openApi(): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { endpoint, method, path, aliasOf } of routes) {
    const described = operationOf(endpoint, method);
    const operation = openEndpoints.has(endpoint) ? described : { ...described, ...asksForKey(described) };
    const alias = {
      ...operation,
      operationId: `${operation.operationId}_alias`,
      summary: `Alias of ${aliasOf}`,
    };
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
    components: { schemas, headers, responses: problemResponses(), securitySchemes },
  };
}

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'An API key, where the service has keys.' },
  api_key: {
    type: 'apiKey',
    in: 'header',
    name: 'x-api-key',
    description: 'The same in a header of its own.',
  },
};

/** What an operation that takes a key has beside the rest; a service without keys asks for none. */
function asksForKey({ responses }: Json): Json {
  return {
    security: [{ bearer: [] }, { api_key: [] }, {}],
    responses: { ...(responses as Json), ...problems('unauthenticated') },
  };
}

const headers = {
  'x-request-id': {
    description: "The caller's own when it sent one of 1 to 128 visible ASCII characters, otherwise made.",
    schema: { type: 'string' },
  },
  'tokens-meta': {
    description: 'Metadata as JSON in ASCII, under 2 KB; with npy and raw.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Metadata' } } },
  },
  'tokens-cache': {
    description:
      'Where the tokens come from: the cache, work that another request had begun, or this request. Not with jsonl.',
    schema: { enum: answerSources },
  },
  'server-timing': {
    description: 'Milliseconds of decode, views, queue, engine, assemble (where there is any) and write.',
    schema: { type: 'string' },
  },
};

const bodies =
  'The body is the image itself, whatever its content type says: JPEG, PNG, WebP, GIF, TIFF or AVIF, or a uint8 ' +
  '.npy of [height, width, 3] or [n, height, width, 3]. Only multipart/form-data and application/json are ' +
  'envelopes. Several images are answered as [n, ...] in npy, raw and json, where any failure fails the request; ' +
  'safetensors has a tensor for each and jsonl a line for each, with a failure in its place.';

const binary = { type: 'string', format: 'binary' };

const operations: Record<Endpoint, Json> = {
  encode: encodeOperation(
    'encode',
    'Encode one or more images into visual tokens',
    'One view of each image.',
  ),
  teacher_encode: encodeOperation(
    'teacher',
    'Encode one or more images as the multi-scale fused teacher does',
    'Views of several scales of each image, their tokens fused to one grid.',
  ),
  anyres_encode: encodeOperation(
    'anyres',
    'Encode one or more images in tiles of their native resolution',
    'A base view, then the unpadded map of up to 3 x 3 tiles, as LLaVA lays them. Lengths differ between images: ' +
      'ask for several as safetensors or jsonl.',
  ),
  plan: {
    summary: 'What an encode would answer for an image of a size',
    description: 'From the size and the options alone: its metadata, number of tokens and bytes.',
    parameters: planParameters(),
    responses: {
      ...ok('application/json', { $ref: '#/components/schemas/Plan' }),
      ...problems(
        'invalid_argument',
        'not_found',
        'failed_precondition',
        'too_large',
        'internal',
        'unavailable',
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

function encodeOperation(recipe: RecipeOptions['recipe'], summary: string, what: string): Json {
  return {
    summary,
    description: `${what} ${bodies}`,
    parameters: encodeParameters(recipe),
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
      ...tokensResponse(answerFormats),
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
  };
}

function tokensResponse(formats: readonly AnswerFormat[]): Json {
  return {
    200: {
      description: 'The tokens.',
      headers: {
        ...requestIdHeader(),
        'tokens-meta': { $ref: '#/components/headers/tokens-meta' },
        'tokens-cache': { $ref: '#/components/headers/tokens-cache' },
        'server-timing': { $ref: '#/components/headers/server-timing' },
      },
      content: Object.fromEntries(
        formats.map((format) => [formatTypes[format][0], { schema: answerSchema(format) }]),
      ),
    },
  };
}

function answerSchema(format: AnswerFormat): Json {
  if (format === 'json') return { $ref: '#/components/schemas/Tokens' };
  return format === 'jsonl' ? { $ref: '#/components/schemas/Line' } : binary;
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
