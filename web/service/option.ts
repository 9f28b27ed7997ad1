import { recipePaths } from './choice.ts';
import type { Recipe } from './metadata.ts';

/** An option of a recipe, as the service describes it. */
export interface RequestOption {
  readonly name: string;
  /** The values it takes; absent where it takes text of a pattern. */
  readonly values?: readonly string[];
  readonly pattern?: string;
  readonly default?: string;
  readonly description: string;
}

/** Options that the page sets by itself; it shows pictures upright. */
const own: ReadonlySet<string> = new Set(['model', 'format', 'dtype', 'exif']);

interface OpenApi {
  readonly paths: Readonly<Record<string, { readonly post?: { readonly parameters: readonly Parameter[] } }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description: string;
  readonly schema: {
    readonly enum?: readonly string[];
    readonly pattern?: string;
    readonly default?: string;
  };
}

/** The options of each recipe, from the service's own description (OpenAPI). */
export function optionsOf(description: OpenApi): Record<Recipe, readonly RequestOption[]> {
  const of = (recipe: Recipe): RequestOption[] => {
    const parameters = description.paths[`/${recipePaths[recipe]}`]?.post?.parameters ?? [];
    return parameters.filter(isOffered).map(optionOf);
  };
  return { encode: of('encode'), teacher: of('teacher'), anyres: of('anyres') };
}

function isOffered({ name, in: place }: Parameter): boolean {
  return place === 'query' && !own.has(name) && !name.startsWith('expect_');
}

function optionOf({ name, description, schema }: Parameter): RequestOption {
  return {
    name,
    description,
    ...(schema.enum === undefined ? {} : { values: schema.enum }),
    ...(schema.pattern === undefined ? {} : { pattern: schema.pattern }),
    ...(schema.default === undefined ? {} : { default: schema.default }),
  };
}
