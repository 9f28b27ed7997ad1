import type { RecipeOptions } from '../../../recipes/recipe-options.ts';
import { tokenFormats } from '../../../tokens/formats/format.ts';
import { type AnswerFormat, answerFormats, formatTypes } from '../answer-format.ts';
import { type ProblemCode, problemKinds } from '../problem.ts';
import { encodeEndpoints, type Endpoint, openEndpoints, type Route, routes } from '../routes.ts';
import { exampleProblem, examples } from './examples.ts';
import { headers } from './headers.ts';
import { cachedParameters, encodeParameters, planParameters, requestIdParameter } from './parameters.ts';
import { openInferenceOperations, pathParameters } from './open-inference.ts';
import { type Json, object, schemas } from './schemas.ts';

const tags = [
  { name: 'tokens', description: 'Visual tokens of images, and what they would be.' },
  { name: 'models', description: 'What is served.' },
  { name: 'service', description: 'Probes, metrics and this description. They need no API key.' },
  {
    name: 'open inference',
    description: "The Open Inference Protocol (KServe v2), with Triton's binary tensors.",
  },
  { name: 'aliases', description: 'The same routes under other paths.' },
] as const;
type Tag = (typeof tags)[number]['name'];

type Operation = Json & { readonly operationId: string; readonly tags: readonly Tag[] };

/** The description of the API (OpenAPI 3.1), made from the tables of routes, problems and formats. */
export function openApi(version: string): Json {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    // The later one first: POST before the GET of the same path.
    const path = templateOf(route.path);
    paths[path] = { [route.method.toLowerCase()]: operationOf(route), ...paths[path] };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'siglip-hd',
      version,
      description: 'Visual tokens of SigLIP 2 and SigLIP-HD encoders for multimodal language models.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    // Relative to this document, so that it holds below a path prefix.
    servers: [{ url: './' }],
    tags,
    paths,
    components: { schemas, headers, responses: problemResponses(), securitySchemes },
  };
}

/** A path as OpenAPI writes it: {model} for :model. */
function templateOf(path: string): string {
  return path.replace(/:(\w+)/g, '{$1}');
}

function operationOf({ endpoint, method, path, aliasOf }: Route): Operation {
  const recipe = Object.entries(encodeEndpoints).find(([name]) => name === endpoint)?.[1];
  const isCached = method === 'GET' && recipe !== undefined;
  const described = isCached ? cachedOperation(recipe) : operations[endpoint];
  const operation = {
    operationId: isCached ? `${endpoint}_cached` : endpoint,
    ...described,
    parameters: [
      ...pathParameters(path),
      ...((described['parameters'] as Json[] | undefined) ?? []),
      requestIdParameter,
    ],
    ...(openEndpoints.has(endpoint) ? {} : askingForKey(described)),
  };
  if (aliasOf === undefined) return operation;
  // Statistics have two aliases: of one model with its version, and of all models.
  const operationId = `${operation.operationId}_${path === '/v2/models/stats' ? 'all' : 'alias'}`;
  return { ...operation, operationId, tags: ['aliases'], summary: `Alias of ${templateOf(aliasOf)}` };
}

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'An API key, if the service has keys.' },
  api_key: {
    type: 'apiKey',
    in: 'header',
    name: 'x-api-key',
    description: 'The same key in a header of its own.',
  },
};

/** What an operation that takes a key adds. A service without keys asks for none. */
function askingForKey({ responses }: Described): Json {
  return {
    security: [{ bearer: [] }, { api_key: [] }, {}],
    responses: { ...(responses as Json), ...problems('unauthenticated') },
  };
}

const bodies =
  'The body is the image itself, whatever its content type says: JPEG, PNG, WebP, GIF, TIFF or AVIF, or a uint8 ' +
  '.npy of [height, width, 3] or [n, height, width, 3]. Only multipart/form-data and application/json are ' +
  'envelopes. Several images are answered as [n, ...] in npy, raw, json and torch, and as a list of parts in the formats of ' +
  'vLLM, where any failure fails the request; safetensors has a tensor for each and jsonl a line for each, with a failure in ' +
  'its place.';

const binary = { type: 'string', format: 'binary' };

/** What any encode may answer. */
const encodeProblems = [
  'invalid_argument',
  'not_found',
  'not_acceptable',
  'failed_precondition',
  'too_large',
  'overloaded',
  'internal',
  'unavailable',
  'deadline_exceeded',
] as const satisfies readonly ProblemCode[];

type Described = Json & { readonly tags: readonly Tag[] };

const operations: Record<Endpoint, Described> = {
  ...openInferenceOperations({ ok, problems }),
  encode: encodeOperation('encode', 'Encode images into visual tokens', 'One view of each image.'),
  teacher_encode: encodeOperation(
    'teacher',
    'Encode images as the multi-scale fused teacher does',
    'Views of several scales of each image, their tokens fused to one grid.',
  ),
  anyres_encode: encodeOperation(
    'anyres',
    'Encode images in tiles of their native resolution',
    'A base view, then the unpadded map of up to 3 x 3 tiles, as LLaVA lays them. A model that was trained with AnyRes ' +
      'gives its own unless an option is named. Lengths differ between images: ask for several as safetensors, jsonl or vllm.',
  ),
  plan: {
    tags: ['tokens'],
    summary: 'What an encode would answer for an image of a size',
    description: 'Its metadata, number of tokens and bytes, from the size and the options alone.',
    parameters: planParameters(),
    responses: {
      ...ok('application/json', { $ref: '#/components/schemas/Plan' }, examples.Plan),
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
    tags: ['models'],
    summary: 'The served models, the default first',
    responses: ok(
      'application/json',
      object({ models: { type: 'array', items: { $ref: '#/components/schemas/Model' } } }),
      examples.Models,
    ),
  },
  healthz: {
    tags: ['service'],
    summary: 'Whether the process answers',
    responses: ok('application/json', object({ status: { const: 'ok' } }), { status: 'ok' }),
  },
  readyz: {
    tags: ['service'],
    summary: 'Whether requests are accepted: warmed up, and not stopping',
    responses: {
      ...ok(
        'application/json',
        object({
          status: { const: 'ready' },
          engines: object({ up: { type: 'integer' }, total: { type: 'integer' } }),
        }),
        { status: 'ready', engines: { up: 2, total: 2 } },
      ),
      ...problems('unavailable'),
    },
  },
  metrics: {
    tags: ['service'],
    summary: "Metrics in Prometheus' text format",
    responses: ok('text/plain', { type: 'string' }, 'siglip_hd_ready 1\n'),
  },
  openapi: {
    tags: ['service'],
    summary: 'This description',
    responses: ok('application/json', { type: 'object' }),
  },
  docs: {
    tags: ['service'],
    summary: 'A page to read this description and try it',
    responses: ok('text/html', { type: 'string' }),
  },
  playground: {
    tags: ['service'],
    summary: 'A page to look at tokens, unless the service runs with --playground false',
    responses: ok('text/html', { type: 'string' }),
  },
};

function encodeOperation(recipe: RecipeOptions['recipe'], summary: string, what: string): Described {
  return {
    tags: ['tokens'],
    summary,
    description: `${what} ${bodies}`,
    parameters: encodeParameters(recipe),
    requestBody: {
      required: true,
      content: {
        'application/octet-stream': { schema: binary },
        'image/*': { schema: binary },
        'multipart/form-data': { schema: object({ image: { type: 'array', minItems: 1, items: binary } }) },
        'application/json': { schema: { $ref: '#/components/schemas/Images' }, example: examples.Images },
      },
    },
    responses: {
      ...tokensResponse(answerFormats),
      ...problems(...encodeProblems, 'request_timeout', 'unsupported_media'),
    },
  };
}

/** GET: what POST of the same path answered before. */
function cachedOperation(recipe: RecipeOptions['recipe']): Described {
  return {
    tags: ['tokens'],
    summary: 'The tokens of an image that was encoded before',
    description: 'Answers from the cache by the digest of the file, or not_found.',
    parameters: cachedParameters(recipe),
    responses: {
      ...tokensResponse(tokenFormats),
      304: { description: 'If-None-Match names these tokens.', headers: requestIdHeader() },
      ...problems(...encodeProblems),
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
      content: Object.fromEntries(formats.map((format) => [formatTypes[format][0], answerContent(format)])),
    },
  };
}

function answerContent(format: AnswerFormat): Json {
  if (format === 'json') return { schema: { $ref: '#/components/schemas/Tokens' }, example: examples.Tokens };
  if (format === 'jsonl') return { schema: { $ref: '#/components/schemas/Line' }, example: examples.Line };
  if (format === 'vllm') return partsContent('VllmPart');
  if (format === 'vllm-prompt-embeds') return partsContent('VllmPromptPart');
  return { schema: binary };
}

/** A part, or of several images a list of them. */
function partsContent(name: 'VllmPart' | 'VllmPromptPart'): Json {
  const part = { $ref: `#/components/schemas/${name}` };
  return { schema: { oneOf: [part, { type: 'array', items: part }] } };
}

function ok(contentType: string, schema: Json, example?: Json | string): Json {
  const content = { [contentType]: { schema, ...(example === undefined ? {} : { example }) } };
  return { 200: { description: 'OK', headers: requestIdHeader(), content } };
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
  const codes = Object.keys(problemKinds) as ProblemCode[];
  return Object.fromEntries(
    codes.map((code) => {
      const example = exampleProblem(code);
      const media = { schema: { $ref: '#/components/schemas/Problem' }, example };
      const description = problemKinds[code].title;
      return [
        code,
        { description, headers: requestIdHeader(), content: { 'application/problem+json': media } },
      ];
    }),
  );
}
