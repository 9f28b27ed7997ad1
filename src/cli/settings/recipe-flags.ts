import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import { type OptionRecord, parseOptions, requestOptions } from '../../transport/request-options.ts';
import type { Rule } from './command.ts';
import { exifSetting } from './engine-settings.ts';
import { refusedInFlags } from './flag-words.ts';
import { flagsOnly, type Reading, type SettingValues, wrong } from './setting.ts';

type Recipe = RecipeOptions['recipe'];

interface OptionFlag {
  readonly type: 'optional';
  readonly placeholder: string;
  readonly description: string;
  readonly default?: string;
  readonly needs?: readonly string[];
  read(text: string): Reading<string>;
}

/**
 * The flag of a request's option: its name has dashes for underscores, and its values are those of HTTP and gRPC. `needs` is what
 * chooses the recipe. Use `encode` for an option that every recipe has: its flag needs nothing.
 */
export function flagOf(recipe: Recipe, name: string, needs = `recipe ${recipe}`): OptionFlag {
  const option = requestOptions[recipe].find((each) => each.name === name);
  if (option === undefined) throw new Error(`${recipe} has no option ${name}`);
  const { values, pattern = '', form = '', default: standard } = option;
  const description = option.description.replace(' with failed_precondition', '');
  const common = {
    type: 'optional',
    placeholder: values?.join('|') ?? placeholders[name] ?? 'VALUE',
    ...(recipe === 'encode' ? {} : { needs: [needs] }),
    read(text: string): Reading<string> {
      if (values?.includes(text) ?? new RegExp(`^(?:${pattern})$`).test(text))
        return { ok: true, value: text };
      const must = values === undefined ? form : `one of ${values.join(', ')}`;
      return wrong(`must be ${must}, not "${text}"`);
    },
  } as const;
  // A model may have an AnyRes of its own, which any of these options replaces.
  if (recipe === 'anyres' && standard !== undefined) {
    return {
      ...common,
      description: `${description} By default the model's own, if it has one, else ${standard}.`,
    };
  }
  return { ...common, description, ...(standard === undefined ? {} : { default: standard }) };
}

const placeholders: Readonly<Record<string, string>> = {
  features: 'LAYER,...',
  expect_features: 'LAYER,...',
  scales: 'PX,...',
  weights: 'N,...',
  grid: 'COLUMNSxROWS',
  max_grid: 'COLUMNSxROWS',
  max_tiles: 'N',
  expect_digest: 'sha256:...',
  expect_projector_digest: 'sha256:...',
};

/** A recipe and its options, as flags: those of HTTP's query. */
export const recipeSettings = flagsOnly({
  recipe: {
    type: 'choice',
    choices: ['encode', 'teacher', 'anyres'],
    default: 'encode',
    description:
      "encode: one view of each image; teacher: several scales, fused, as in the paper's teacher; anyres: LLaVA's tiles. " +
      'See docs/recipes.md.',
  },
  dtype: {
    type: 'choice',
    choices: ['float16', 'float32', 'bfloat16'],
    default: 'float16',
    description: 'Type of the values; npy has no bfloat16.',
  },
  embeddings: {
    type: 'boolean',
    description: "Write what the model's projector makes of its features, for a language model.",
  },
  pooled: {
    type: 'boolean',
    description: 'Write one vector of the whole image in place of its tokens, where the model has it.',
  },
  features: flagOf('encode', 'features'),
  exif: exifSetting,
  'class-token': {
    type: 'boolean',
    needs: ['recipe encode'],
    description: "CLIP's class token, before the patches' tokens, where the model has it.",
  },
  scales: flagOf('teacher', 'scales'),
  weights: flagOf('teacher', 'weights'),
  fusion: flagOf('teacher', 'fusion'),
  windows: flagOf('teacher', 'windows'),
  'channel-order': flagOf('teacher', 'channel_order'),
  grid: flagOf('teacher', 'grid'),
  'max-grid': flagOf('anyres', 'max_grid'),
  'max-tiles': flagOf('anyres', 'max_tiles'),
  assembly: flagOf('anyres', 'assembly'),
  resample: flagOf('anyres', 'resample'),
  'expect-digest': flagOf('encode', 'expect_digest'),
  'expect-features': flagOf('encode', 'expect_features'),
  'expect-projector-digest': flagOf('encode', 'expect_projector_digest'),
});

export type RecipeValues = SettingValues<typeof recipeSettings>;

/** Rules of these settings. */
export const recipeRules: readonly Rule<RecipeValues>[] = [
  {
    of: ['embeddings', 'pooled'],
    problems: ({ embeddings, pooled }) =>
      embeddings && pooled ? ['--embeddings and --pooled are different outputs; give one of them.'] : [],
  },
];

/** What to ask for, as the pipeline takes it and as a query of HTTP has it. */
export interface RecipeRequest extends ReturnType<typeof parseOptions> {
  /** The options in the names of HTTP, without those that only check the model. Defaults are filled in. */
  readonly query: OptionRecord;
  /** Options that only check the model. */
  readonly expectations: OptionRecord;
}

/** The request that the flags describe. */
export function recipeRequest(values: RecipeValues): RecipeRequest {
  const { recipe, embeddings, pooled } = values;
  const output = embeddings ? 'embeddings' : pooled ? 'pooled' : 'features';
  const query: Record<string, string> = {};
  const expectations: Record<string, string> = {};
  for (const { name } of requestOptions[recipe]) {
    const value = name === 'output' ? output : optionValue(values, name);
    if (value !== undefined) (name.startsWith('expect_') ? expectations : query)[name] = value;
  }
  const parsed = refusedInFlags(() => parseOptions(recipe, { ...query, ...expectations }));
  return { ...parsed, query, expectations };
}

/** The value of the flag that has the name of a request's option. A flag without a value is given or not. */
function optionValue(values: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = values[name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())];
  if (value === true) return 'true';
  return typeof value === 'string' ? value : undefined;
}
