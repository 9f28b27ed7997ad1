import { digestPattern } from '../../../image/raster.ts';
import type { RecipeOptions } from '../../../recipes/recipe-options.ts';
import { type RequestOption, requestOptions } from '../../request-options.ts';
import { requestIdKey } from '../../request-id.ts';
import { termsKeys } from '../../request-terms.ts';
import { priorities } from '../../../admission/priority.ts';
import { tokenFormats } from '../../../tokens/formats/format.ts';
import { type AnswerFormat, answerFormats } from '../answer-format.ts';
import { type Json, recipes } from './schemas.ts';
import { maxSide } from '../plan-route.ts';

const priorityParameter = {
  name: termsKeys.priority,
  in: 'header',
  description: 'Bulk takes what interactive requests leave; a key may be capped to it.',
  schema: { enum: priorities, default: priorities[0] },
};

/** How a request is served. */
const termsParameters: readonly Json[] = [
  priorityParameter,
  {
    name: termsKeys.timeout,
    in: 'header',
    description: "The longest that the client waits; the service's own limit holds as well.",
    schema: { type: 'string', pattern: '^[0-9]+$' },
  },
  {
    name: termsKeys.cache,
    in: 'header',
    description: 'no-store or no-cache: neither answered from the cache, nor joined to other work, nor kept.',
    schema: { type: 'string' },
  },
];

/** Of every request. */
export const requestIdParameter: Json = {
  name: requestIdKey,
  in: 'header',
  description:
    'An id for the answer, the log and the traces: 1 to 128 visible ASCII characters. Generated if absent.',
  schema: { type: 'string' },
};

/** Of an encode: the format, the recipe's options, and how it is served. */
export function encodeParameters(recipe: RecipeOptions['recipe']): Json[] {
  return [...answerParameters(recipe, answerFormats), ...termsParameters];
}

/** Of an answer from the cache: which image's, and the same. */
export function cachedParameters(recipe: RecipeOptions['recipe']): Json[] {
  const image = {
    name: 'image',
    in: 'query',
    required: true,
    description: "SHA-256 of the image file's bytes.",
    schema: { type: 'string', pattern: digestPattern },
  };
  const ifNoneMatch = {
    name: 'if-none-match',
    in: 'header',
    description: 'ETags of tokens that the client has; 304 when it has these.',
    schema: { type: 'string' },
  };
  return [
    image,
    ...answerParameters(recipe, tokenFormats),
    ...termsParameters,
    ifNoneMatch,
    requestIdParameter,
  ];
}

function answerParameters(recipe: RecipeOptions['recipe'], formats: readonly AnswerFormat[]): Json[] {
  const format = {
    name: 'format',
    in: 'query',
    description:
      'Format of the answer; takes precedence over the Accept header. The formats of vLLM need output=embeddings.',
    schema: { enum: formats, default: formats[0] },
  };
  return [format, ...requestOptions[recipe].map((option) => optionParameter(option, option.description))];
}

/** Of a plan: what it is a plan of, and the options of all recipes, each once. */
export function planParameters(): Json[] {
  const required = { in: 'query', required: true };
  const side = { type: 'integer', minimum: 1, maximum: maxSide };
  const options = new Map<string, { option: RequestOption; of: RecipeOptions['recipe'][] }>();
  for (const recipe of recipes) {
    for (const option of requestOptions[recipe]) {
      const known = options.get(option.name);
      if (known === undefined) options.set(option.name, { option, of: [recipe] });
      else known.of.push(recipe);
    }
  }
  return [
    { name: 'recipe', ...required, description: 'What to plan.', schema: { enum: recipes } },
    { name: 'width', ...required, description: 'Of the image, upright, in pixels.', schema: side },
    { name: 'height', ...required, description: 'Of the image, upright, in pixels.', schema: side },
    ...[...options.values()].map(({ option, of }) => {
      const whose = of.length === recipes.length ? '' : ` Of recipe=${of.join(', ')} alone.`;
      return optionParameter(option, option.description + whose);
    }),
    priorityParameter,
  ];
}

function optionParameter(option: RequestOption, description: string): Json {
  return {
    name: option.name,
    in: 'query',
    description,
    schema: {
      type: 'string',
      ...(option.values === undefined ? {} : { enum: option.values }),
      ...(option.pattern === undefined ? {} : { pattern: `^(?:${option.pattern})$` }),
      ...(option.default === undefined ? {} : { default: option.default }),
    },
  };
}
