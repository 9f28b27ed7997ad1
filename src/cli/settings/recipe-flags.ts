import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import {
  type OptionRecord,
  parseOptions,
  type RequestOption,
  requestOptions,
} from '../../transport/request-options.ts';
import type { Rule } from './command.ts';
import { exifSetting } from './engine-settings.ts';
import { refusedInFlags } from './flag-words.ts';
import type { Reading, Setting, Settings, SettingValues } from './setting.ts';

type Recipe = RecipeOptions['recipe'];
export const recipes = Object.keys(requestOptions) as readonly Recipe[];

interface OptionFlag {
  readonly type: 'optional';
  readonly placeholder: string;
  readonly description: string;
  readonly flagOnly: true;
  readonly default?: string;
  read(text: string): Reading<string>;
}

/** The flag of a request's option: its name has dashes for underscores, and its values are those of HTTP and gRPC. */
function flagOf(recipe: Recipe, name: string): OptionFlag {
  const option = requestOptions[recipe].find((each) => each.name === name);
  if (option === undefined) throw new Error(`${recipe} has no option ${name}`);
  const { values, pattern = '', form = '', default: standard } = option;
  const description = option.description.replace(' with failed_precondition', '');
  const common = {
    type: 'optional',
    placeholder: values?.join('|') ?? placeholders[name] ?? 'VALUE',
    flagOnly: true,
    read(text: string): Reading<string> {
      if (values?.includes(text) ?? new RegExp(`^(?:${pattern})$`).test(text))
        return { ok: true, value: text };
      const must = values === undefined ? form : `one of ${values.join(', ')}`;
      return { ok: false, problem: `must be ${must}, not "${text}"` };
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

const ownFlags = {
  encode: {
    'class-token': {
      type: 'boolean',
      flagOnly: true,
      description: "CLIP's class token, before the patches' tokens, where the model has it.",
    },
  },
  teacher: {
    scales: flagOf('teacher', 'scales'),
    weights: flagOf('teacher', 'weights'),
    fusion: flagOf('teacher', 'fusion'),
    windows: flagOf('teacher', 'windows'),
    'channel-order': flagOf('teacher', 'channel_order'),
    grid: flagOf('teacher', 'grid'),
  },
  anyres: {
    'max-grid': flagOf('anyres', 'max_grid'),
    'max-tiles': flagOf('anyres', 'max_tiles'),
    assembly: flagOf('anyres', 'assembly'),
    resample: flagOf('anyres', 'resample'),
  },
} as const satisfies Record<Recipe, Settings>;

/** A recipe and its options, as flags: those of HTTP's query. */
export const recipeSettings = {
  recipe: {
    type: 'choice',
    choices: ['encode', 'teacher', 'anyres'],
    default: 'encode',
    flagOnly: true,
    description:
      "encode: one view of each image; teacher: several scales, fused, as in the paper's teacher; anyres: LLaVA's tiles. " +
      'See docs/recipes.md.',
  },
  dtype: {
    type: 'choice',
    choices: ['float16', 'float32', 'bfloat16'],
    default: 'float16',
    flagOnly: true,
    description: 'Type of the values; npy has no bfloat16.',
  },
  embeddings: {
    type: 'boolean',
    flagOnly: true,
    description: "Write what the model's projector makes of its features, for a language model.",
  },
  pooled: {
    type: 'boolean',
    flagOnly: true,
    description: 'Write one vector of the whole image in place of its tokens, where the model has it.',
  },
  features: flagOf('encode', 'features'),
  exif: exifSetting,
  ...ownFlags.encode,
  ...ownFlags.teacher,
  ...ownFlags.anyres,
  'expect-digest': flagOf('encode', 'expect_digest'),
  'expect-features': flagOf('encode', 'expect_features'),
  'expect-projector-digest': flagOf('encode', 'expect_projector_digest'),
} as const satisfies Settings;

export type RecipeValues = SettingValues<typeof recipeSettings>;

/** Refuses options of another recipe than the one chosen. */
export const recipeRules: readonly Rule<RecipeValues>[] = [
  {
    of: ['embeddings', 'pooled'],
    problems: ({ embeddings, pooled }) =>
      embeddings && pooled ? ['--embeddings and --pooled are different outputs; give one of them.'] : [],
  },
  {
    of: ['recipe'],
    problems: (values) =>
      recipes
        .filter((other) => other !== values.recipe)
        .flatMap((other) =>
          Object.entries<Setting>(ownFlags[other]).flatMap(([flag, setting]) =>
            isChanged(setting, optionValue(values, flag))
              ? [`--${flag} is an option of another recipe; it needs --recipe ${other}.`]
              : [],
          ),
        ),
  },
];

function isChanged({ default: standard }: Setting, value: string | undefined): boolean {
  return value !== undefined && value !== standard;
}

/** What to ask for, as the pipeline takes it and as a query of HTTP has it. */
export interface RecipeRequest extends ReturnType<typeof parseOptions> {
  /** The options in the names of HTTP, without those that only check the model. Defaults are filled in. */
  readonly query: OptionRecord;
  /** Options that only check the model. */
  readonly expectations: OptionRecord;
}

/** The request that the flags describe. */
export function recipeRequest(values: RecipeValues): RecipeRequest {
  const { recipe, dtype, exif, embeddings, pooled, features } = values;
  const own = Object.keys(ownFlags[recipe]).map(
    (flag) => [queryName(flag), optionValue(values, flag)] as const,
  );
  const query = given([
    ['output', embeddings ? 'embeddings' : pooled ? 'pooled' : 'features'],
    ['features', features],
    ['dtype', dtype],
    ['exif', exif],
    ...own,
  ]);
  const expectations = given([
    ['expect_digest', values.expectDigest],
    ['expect_features', values.expectFeatures],
    ['expect_projector_digest', values.expectProjectorDigest],
  ]);
  const parsed = refusedInFlags(() => parseOptions(recipe, { ...query, ...expectations }));
  return { ...parsed, query, expectations };
}

function given(entries: readonly (readonly [string, string | undefined])[]): OptionRecord {
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function optionValue(values: RecipeValues, flag: string): string | undefined {
  const name = flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  const value: unknown = values[name as keyof RecipeValues];
  if (value === true) return 'true';
  return typeof value === 'string' ? value : undefined;
}

function queryName(flag: string): RequestOption['name'] {
  return flag.replaceAll('-', '_');
}
