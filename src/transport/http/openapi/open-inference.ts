import type { ProblemCode } from '../problem.ts';
import type { OpenInferenceEndpoint } from '../routes.ts';
import { type Json, object } from './schemas.ts';

/** What this part of the description takes from the whole. */
interface Parts {
  readonly ok: (contentType: string, schema: Json, example?: Json | string) => Json;
  readonly problems: (...codes: readonly ProblemCode[]) => Json;
}

type Described = Json & { readonly tags: readonly ['open inference'] };

const parameterTexts: Readonly<Record<string, string>> = {
  model: 'Name of a served model.',
  version: 'Its version, which is 1.',
};

/** The parameters in a path that fastify writes with colons. */
export function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: parameterTexts[name],
    schema: { type: 'string' },
  }));
}

const json = 'application/json';
const tensor = { name: { type: 'string' }, datatype: { type: 'string' }, shape: { type: 'array' } };
const inferRequest = object(
  { inputs: { type: 'array', items: object(tensor, { data: {}, parameters: { type: 'object' } }) } },
  { id: { type: 'string' }, parameters: { type: 'object' }, outputs: { type: 'array' } },
);

export function openInferenceOperations({ ok, problems }: Parts): Record<OpenInferenceEndpoint, Described> {
  const tags = ['open inference'] as const;
  const ofModel = (summary: string): Described => ({
    tags,
    summary,
    responses: { ...ok(json, { type: 'object' }), ...problems('not_found') },
  });
  return {
    server_live: {
      tags,
      summary: 'Whether the process answers',
      responses: ok(json, object({ live: { const: true } }), { live: true }),
    },
    server_ready: {
      tags,
      summary: 'Whether requests are accepted',
      responses: {
        ...ok(json, object({ ready: { const: true } }), { ready: true }),
        ...problems('unavailable'),
      },
    },
    server_metadata: {
      tags,
      summary: 'The name, version and extensions of the service',
      responses: ok(json, { type: 'object' }),
    },
    model_index: {
      tags,
      summary: 'The models and their states, or those of the models that are ready',
      requestBody: { content: { [json]: { schema: object({}, { ready: { type: 'boolean' } }) } } },
      responses: {
        ...ok(json, { type: 'array' }),
        ...problems('invalid_argument', 'too_large', 'request_timeout'),
      },
    },
    model_ready: {
      ...ofModel('Whether a model takes requests'),
      responses: { ...ok(json, { type: 'object' }), ...problems('not_found', 'unavailable') },
    },
    model_metadata: ofModel("A model's inputs and outputs"),
    model_config: ofModel("A model's configuration, in the words of Triton"),
    model_statistics: ofModel('What came of the infer requests to a model'),
    infer: inferOperation({ ok, problems }, tags),
  };
}

function inferOperation({ ok, problems }: Parts, tags: Described['tags']): Described {
  const binary = { schema: { type: 'string', format: 'binary' } };
  return {
    tags,
    summary: 'Encode images, as the Open Inference Protocol asks for it',
    description:
      'The input is `image` (BYTES, files) or `pixels` (UINT8, [n, height, width, 3]); the output is `tokens`, or `embeddings` of ' +
      'a model that has a projector. Parameters name the recipe and its options. With Inference-Header-Content-Length binary ' +
      'tensors follow the JSON; where it is 0 the body is one image file.',
    parameters: [
      {
        name: 'inference-header-content-length',
        in: 'header',
        description: 'Bytes of the JSON at the start of the body; all of it if absent.',
        schema: { type: 'integer' },
      },
    ],
    requestBody: {
      required: true,
      content: { [json]: { schema: inferRequest }, 'application/octet-stream': binary },
    },
    responses: {
      ...ok(json, { type: 'object' }),
      ...problems(
        'invalid_argument',
        'not_found',
        'failed_precondition',
        'too_large',
        'overloaded',
        'internal',
        'unavailable',
        'deadline_exceeded',
        'request_timeout',
        'unsupported_media',
      ),
    },
  };
}
