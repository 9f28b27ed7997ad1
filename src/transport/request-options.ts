import { didYouMean } from '../errors/did-you-mean.ts';
import { quoted } from '../errors/quoted.ts';
import { ServiceError } from '../errors/service-error.ts';
import { anyresAssemblies, anyresDefaults } from '../recipes/anyres.ts';
import {
  channelOrders,
  fusions,
  resamples,
  type Size,
  teacherWindows,
  tokenOutputs,
} from '../recipes/plan.ts';
import { teacherDefaults } from '../recipes/teacher.ts';
import type { EncodeOptions } from '../encoding/request.ts';
import type { RecipeOptions } from '../recipes/recipe-options.ts';
import { tokenDtypes } from '../tokens/tensor.ts';
import { askedFeatures, layerList, namedLayers } from './asked-features.ts';
import { numberPattern } from './number-pattern.ts';
import { type OptionWords, usualWords } from './option-words.ts';

/** One option of a request as a caller writes it. The docs and the OpenAPI document are made from it. */
export interface RequestOption {
  /** Its name as a query parameter, form field or JSON key. */
  readonly name: string;
  /** The accepted values; absent if `pattern` decides. */
  readonly values?: readonly string[];
  /** A regular expression that the whole value must match; absent if `values` decides. */
  readonly pattern?: string;
  /** What the pattern accepts, in words. */
  readonly form?: string;
  /** The value of an absent option; absent if leaving the option out requests nothing. */
  readonly default?: string;
  readonly description: string;
}

/** Most characters of a caller's text that a message repeats. */
const mostQuoted = 80;

const exifModes = ['apply', 'ignore'] as const;

const commonOptions: readonly RequestOption[] = [
  {
    name: 'model',
    pattern: '.+',
    form: 'a model name',
    description: 'Name of the served model to use. The first served model when absent.',
  },
  {
    name: 'expect_digest',
    pattern: 'sha256:[0-9a-f]{64}',
    form: '"sha256:" and 64 lower-case hexadecimal digits',
    description: "Refuse with failed_precondition unless this is the model's digest.",
  },
  {
    name: 'expect_features',
    ...layerList,
    description:
      'Refuse with failed_precondition unless the tokens are of this hidden state, or of these joined: penultimate, -3 or ' +
      'penultimate,-3.',
  },
  {
    name: 'features',
    ...layerList,
    description:
      'Hidden states whose tokens are joined by channels, in this order: penultimate, -3 or penultimate,-3. The model must have been imported with them. Its default when absent.',
  },
  {
    name: 'output',
    values: tokenOutputs,
    default: 'features',
    description:
      "features: the tower's tokens; embeddings: those tokens after the model's projector, in a language model's width; " +
      'pooled: one vector of the whole image, where the model has it, for /v1/encode.',
  },
  {
    name: 'expect_projector_digest',
    pattern: 'sha256:[0-9a-f]{64}',
    form: '"sha256:" and 64 lower-case hexadecimal digits',
    description: "Refuse with failed_precondition unless this is the digest of the model's projector.",
  },
  {
    name: 'dtype',
    values: tokenDtypes,
    default: 'float16',
    description: 'Type of the tokens. The .npy format cannot hold bfloat16.',
  },
  {
    name: 'exif',
    values: exifModes,
    default: 'apply',
    description:
      'Whether to rotate and flip the image by the orientation in its EXIF, XMP or PNG texts before encoding.',
  },
];

const encodeOptions: readonly RequestOption[] = [
  {
    name: 'class_token',
    values: ['true', 'false'],
    default: 'false',
    description:
      "Whether CLIP's class token precedes the patches' tokens, as one more row, where the model has it.",
  },
];

const teacherOptions: readonly RequestOption[] = [
  {
    name: 'scales',
    pattern: '[0-9]{1,5}(?:,[0-9]{1,5})*',
    form: 'sides in pixels separated by commas, such as 512,1024',
    description:
      "Sides of the squares that the image is resized to, in pixels: 1, 2, 3 or 4 times the model's image size. " +
      'The image size and twice that when absent.',
  },
  {
    name: 'weights',
    pattern: `${numberPattern}(?:,${numberPattern})*`,
    form: 'positive numbers separated by commas, such as 1,2',
    description: 'Weight of each scale in the average; equal when absent.',
  },
  {
    name: 'fusion',
    values: fusions,
    default: teacherDefaults.fusion,
    description: "How the scales' maps become one.",
  },
  {
    name: 'windows',
    values: teacherWindows,
    default: teacherDefaults.windows,
    description: 'How a scale is cut into views: side by side, at a stride of half a view, or not at all.',
  },
  {
    name: 'channel_order',
    values: channelOrders,
    description:
      "Order of unshuffle_concat's channels: torch.nn.PixelUnshuffle's (when absent), or InternVL v2's.",
  },
  {
    name: 'grid',
    pattern: '[0-9]{1,5}x[0-9]{1,5}',
    form: 'columns x rows, such as 37x37',
    description: "Token grid of the answer. The model's when absent.",
  },
];

const anyresOptions: readonly RequestOption[] = [
  {
    name: 'max_grid',
    pattern: '[1-3]x[1-3]',
    form: 'columns x rows from 1x1 to 3x3',
    default: `${anyresDefaults.maxGrid.columns}x${anyresDefaults.maxGrid.rows}`,
    description: 'Largest grid of tiles, columns x rows.',
  },
  {
    name: 'max_tiles',
    pattern: '[0-9]{1,2}',
    form: 'a whole number from 0 to 99',
    default: String(anyresDefaults.maxTiles),
    description:
      "Largest map, as the number of tiles with as many tokens: the N of LLaVA's anyres_max_N. 0 for no limit.",
  },
  {
    name: 'assembly',
    values: anyresAssemblies,
    default: anyresDefaults.assembly,
    description:
      "merge: base tokens, then the unpadded and limited map; tiles: every view's tokens untouched.",
  },
  {
    name: 'resample',
    values: resamples,
    default: anyresDefaults.resample,
    description: "Pillow's filter for the base view and the tiles.",
  },
];

/** The options of each recipe, in the order in which the docs list them. */
export const requestOptions = {
  encode: [...commonOptions, ...encodeOptions],
  teacher: [...commonOptions, ...teacherOptions],
  anyres: [...commonOptions, ...anyresOptions],
} as const satisfies Record<RecipeOptions['recipe'], readonly RequestOption[]>;

/** The options of a request, valid except for what depends on the model. */
export interface AskedOptions {
  readonly recipe: RecipeOptions;
  readonly options: EncodeOptions;
}

/** Option values by name; undefined for an absent option. */
export type OptionRecord = Readonly<Record<string, string | undefined>>;

/**
 * Parses a recipe's options and fills in the defaults, except those of AnyRes. Throws `invalid_argument` for an unknown
 * name or value, and lists the known ones. Checks that depend on the model, such as which scales fit, belong to the plan.
 */
export function parseOptions(
  name: RecipeOptions['recipe'],
  record: OptionRecord,
  transportOptions: readonly string[] = [],
  words: OptionWords = usualWords,
): AskedOptions {
  const table: readonly RequestOption[] = requestOptions[name];
  refuseUnknownNames(name, record, transportOptions, words);
  for (const option of table) checkValue(option, record[option.name], words);
  const { model, expect_digest: expectDigest, expect_projector_digest: expectProjectorDigest } = record;
  const expectFeatures = namedLayers('expect_features', record['expect_features'], words.noun);
  const features = askedFeatures(record, words.noun);
  const options = {
    output: oneOf(tokenOutputs, record['output']) ?? 'features',
    dtype: oneOf(tokenDtypes, record['dtype']) ?? 'float16',
    exif: oneOf(exifModes, record['exif']) ?? 'apply',
    ...(model === undefined ? {} : { model }),
    ...(expectDigest === undefined ? {} : { expectDigest }),
    ...(expectFeatures === undefined ? {} : { expectFeatures }),
    ...(features === undefined ? {} : { features }),
    ...(expectProjectorDigest === undefined ? {} : { expectProjectorDigest }),
  } as const;
  return { recipe: recipeOf(name, record), options };
}

function recipeOf(recipe: RecipeOptions['recipe'], record: OptionRecord): RecipeOptions {
  switch (recipe) {
    case 'encode':
      return record['class_token'] === 'true' ? { recipe, classToken: true } : { recipe };
    case 'teacher': {
      const { scales, weights, grid } = record;
      const channelOrder = oneOf(channelOrders, record['channel_order']);
      return {
        recipe,
        ...(scales === undefined ? {} : { scales: scales.split(',').map(Number) }),
        ...(weights === undefined ? {} : { weights: weights.split(',').map(Number) }),
        ...(grid === undefined ? {} : { grid: sizeOf(grid) }),
        fusion: oneOf(fusions, record['fusion']) ?? teacherDefaults.fusion,
        windows: oneOf(teacherWindows, record['windows']) ?? teacherDefaults.windows,
        ...(channelOrder === undefined ? {} : { channelOrder }),
      };
    }
    case 'anyres': {
      const { max_grid: maxGrid, max_tiles: maxTiles } = record;
      const grid = maxGrid === undefined ? undefined : sizeOf(maxGrid);
      const assembly = oneOf(anyresAssemblies, record['assembly']);
      const resample = oneOf(resamples, record['resample']);
      // What is absent is left to the plan: a model may have a definition of its own.
      return {
        recipe,
        ...(grid === undefined ? {} : { maxGrid: { columns: grid.width, rows: grid.height } }),
        ...(maxTiles === undefined ? {} : { maxTiles: Number(maxTiles) }),
        ...(assembly === undefined ? {} : { assembly }),
        ...(resample === undefined ? {} : { resample }),
      };
    }
  }
}

function refuseUnknownNames(
  recipe: RecipeOptions['recipe'],
  record: OptionRecord,
  transportOptions: readonly string[],
  { noun, ownerOf, unlisted }: OptionWords,
): void {
  for (const [name, value] of Object.entries(record)) {
    const isOf = (one: RecipeOptions['recipe']) => requestOptions[one].some((known) => known.name === name);
    if (value === undefined || transportOptions.includes(name) || isOf(recipe)) continue;
    const names = [...transportOptions, ...requestOptions[recipe].map((known) => known.name)];
    const listed = names.filter((one) => !unlisted.includes(one));
    const owner = (Object.keys(requestOptions) as RecipeOptions['recipe'][]).find(isOf);
    const message =
      owner === undefined
        ? `Unknown ${noun} ${quoted(name, mostQuoted)}.${didYouMean(name, listed)}`
        : `${quoted(name, mostQuoted)} is ${noun === 'option' ? 'an' : 'a'} ${noun} of ${ownerOf(owner)}, not of ${ownerOf(recipe)}.`;
    throw new ServiceError('invalid_argument', `${message} The ${noun}s are ${listed.join(', ')}.`);
  }
}

function checkValue(
  { name, values, pattern, form }: RequestOption,
  value: string | undefined,
  { noun }: OptionWords,
): void {
  if (value === undefined) return;
  const fits = values?.includes(value) ?? new RegExp(`^(?:${pattern ?? ''})$`).test(value);
  if (fits) return;
  const must = values === undefined ? `be ${form ?? ''}` : `be one of ${values.join(', ')}`;
  throw new ServiceError(
    'invalid_argument',
    `${noun === 'option' ? 'Option' : 'Parameter'} ${name} is ${quoted(value, mostQuoted)}; it must ${must}.${didYouMean(value, values ?? [])}`,
  );
}

function oneOf<Value extends string>(values: readonly Value[], value: string | undefined): Value | undefined {
  return values.find((candidate) => candidate === value);
}

/** The size in `WIDTHxHEIGHT`. */
function sizeOf(text: string): Size {
  const [width = 0, height = 0] = text.split('x').map(Number);
  return { width, height };
}
