import { errorCodes } from '../../../errors/service-error.ts';
import { featureLayers, modelPrecisions } from '../../../model/model.ts';
import { architectures } from '../../../model/tower-geometry.ts';
import { fusions, resamples, resizes, teacherWindows, tokenOutputs } from '../../../recipes/plan.ts';
import { tokenDtypes } from '../../../tokens/tensor.ts';
import { problemKinds } from '../problem.ts';
import { encodeEndpoints } from '../routes.ts';

export type Json = Readonly<Record<string, unknown>>;

export const recipes = Object.values(encodeEndpoints);

const size = object({ width: { type: 'integer' }, height: { type: 'integer' } });
const layer = {
  type: 'string',
  examples: [...featureLayers, '-3'],
};
const shape = {
  type: 'array',
  items: { type: 'integer' },
  description:
    '[tokens, channels]; with assembly=tiles [views, tokens, channels]; of a pooled vector [channels]. A list that is answered as one array has ' +
    'its number of images first.',
};

/** What the API's descriptions refer to as #/components/schemas. */
export const schemas = {
  Problem: object({
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { enum: Object.keys(problemKinds) },
    request_id: { type: 'string' },
  }),
  Metadata: object(
    {
      model: object({ name: { type: 'string' }, digest: { type: 'string' }, trained: { type: 'boolean' } }),
      recipe: { enum: recipes },
      output: { enum: tokenOutputs },
      features: {
        ...layer,
        description:
          'Hidden states that the tokens are, separated by commas; of embeddings and of a pooled vector, the one that they are made of.',
      },
      precision: { type: 'string' },
      dtype: { enum: tokenDtypes },
      shape,
      grid: { ...size, description: 'Tokens across and down; for anyres, of the base view.' },
      views: { type: 'integer', description: 'Views that the model encoded for each image.' },
      images: { type: 'array', items: size, description: 'Decoded size of each image, in pixels.' },
    },
    {
      class_token: {
        const: true,
        description: "The class token precedes the patches' tokens, which grid does not count.",
      },
      projector: {
        ...object({ family: { type: 'string' }, digest: { type: 'string' } }),
        description: 'What made the embeddings.',
      },
      teacher: { $ref: '#/components/schemas/TeacherMakeup' },
      anyres: { $ref: '#/components/schemas/AnyresGeometry' },
    },
  ),
  TeacherMakeup: object({
    scales: { type: 'array', items: { type: 'integer' }, description: 'In pixels.' },
    weights: {
      type: 'array',
      items: { type: 'number' },
      description: 'Of each scale in the average, of sum 1; of a concatenation none.',
    },
    fusion: { enum: fusions },
    windows: { enum: teacherWindows },
    models: {
      type: 'array',
      items: object({ name: { type: 'string' }, digest: { type: 'string' } }),
      description: 'What encoded each scale.',
    },
  }),
  AnyresGeometry: object({
    tile_grid: object({ columns: { type: 'integer' }, rows: { type: 'integer' } }),
    base_tokens: { type: 'integer', description: 'Tokens of the base view, which come first.' },
    unpad: {
      ...object({
        x: { type: 'integer' },
        y: { type: 'integer' },
        width: { type: 'integer' },
        height: { type: 'integer' },
      }),
      description: "What is kept of the tiles' map, in tokens.",
    },
    spatial: {
      ...size,
      description: 'The kept map after the limit: a newline vector goes after each of its rows.',
    },
    newlines: {
      type: 'integer',
      description: 'Newline rows in the answer, one after each row of spatial; 0 where the client adds them.',
    },
    resized: { type: 'boolean', description: 'Whether the limit makes spatial smaller than unpad.' },
  }),
  Plan: object({
    metadata: { $ref: '#/components/schemas/Metadata' },
    tokens: { type: 'integer' },
    size_bytes: { type: 'integer', description: "Of the tensor, without a format's header." },
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
  Line: {
    description: 'One line of the answer, for one image, as results finish.',
    oneOf: [
      {
        allOf: [object({ index: { type: 'integer', minimum: 0 } }), { $ref: '#/components/schemas/Tokens' }],
      },
      object({
        index: { type: 'integer', minimum: 0 },
        error: object({ code: { enum: errorCodes }, detail: { type: 'string' } }),
      }),
    ],
  },
  Model: object(
    {
      name: { type: 'string' },
      default: { type: 'boolean' },
      digest: { type: 'string' },
      architecture: { enum: architectures },
      trained: { type: 'boolean', description: 'False where the weights are random.' },
      image_size: { type: 'integer' },
      patch_size: { type: 'integer' },
      grid: size,
      tokens: { type: 'integer' },
      channels: { type: 'integer' },
      layers: { type: 'integer' },
      features: { ...layer, description: 'Hidden state of a request that names none.' },
      feature_layers: {
        type: 'array',
        items: layer,
        description: 'Hidden states that a request can choose.',
      },
      class_token: { type: 'boolean', description: 'Whether a request can have the class token.' },
      precision: { enum: modelPrecisions },
      resample: { enum: resamples },
      resize: { enum: resizes, description: 'How Encode makes an image square.' },
    },
    {
      pooled_channels: {
        type: 'integer',
        description: 'Width of the pooled vector, where the model has one.',
      },
      projector: { $ref: '#/components/schemas/Projector' },
      anyres: { $ref: '#/components/schemas/AnyresDefinition' },
    },
  ),
  Projector: object({
    family: { type: 'string' },
    digest: { type: 'string' },
    hidden_size: { type: 'integer', description: "Width of a row: the language model's." },
    tokens: { type: 'integer', description: 'Rows of one view.' },
    grid: { ...size, description: 'Rows of one view, across and down.' },
    any_grid: {
      type: 'boolean',
      description: 'Whether it projects each token by itself; otherwise it pools those of one view.',
    },
    newline: { type: 'boolean', description: 'Whether a newline row follows each row of an AnyRes map.' },
  }),
  AnyresDefinition: {
    ...object({
      grids: {
        type: 'array',
        items: object({ columns: { type: 'integer' }, rows: { type: 'integer' } }),
      },
      resample: { enum: resamples },
      max_tiles: { type: 'integer', description: '0 for no limit.' },
    }),
    description: "The model's own AnyRes: what anyres-encode answers where no option of it is named.",
  },
  VllmPart: {
    description: 'A part of the content of a vLLM chat message.',
    ...object({
      type: { const: 'image_embeds' },
      uuid: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      image_embeds: { type: 'string', contentEncoding: 'base64' },
    }),
  },
  VllmPromptPart: {
    description: 'A part of the content of a vLLM chat message.',
    ...object({ type: { const: 'prompt_embeds' }, data: { type: 'string', contentEncoding: 'base64' } }),
  },
  Images: {
    oneOf: [
      object({ image: { type: 'string', contentEncoding: 'base64' } }),
      object({
        images: { type: 'array', minItems: 1, items: { type: 'string', contentEncoding: 'base64' } },
      }),
    ],
  },
};

/** The schema of an object that has `properties`, and may have those in `optional`. */
export function object(properties: Json, optional: Json = {}): Json {
  return { type: 'object', required: Object.keys(properties), properties: { ...properties, ...optional } };
}
