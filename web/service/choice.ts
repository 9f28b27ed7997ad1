import type { Recipe } from './metadata.ts';

/** What a panel asks for: a model, a recipe and its options. */
export interface Choice {
  /** A served model's name; empty for the one that the service takes by itself. */
  readonly model: string;
  readonly recipe: Recipe;
  /** Options by name; those that are left out have the service's defaults. */
  readonly options: Readonly<Record<string, string>>;
}

/** The path of each recipe, relative to the page. */
export const recipePaths = {
  encode: 'v1/encode',
  teacher: 'v1/teacher-encode',
  anyres: 'v1/anyres-encode',
} as const satisfies Record<Recipe, string>;

export const recipeNames = {
  encode: 'Encode',
  teacher: 'TeacherEncode',
  anyres: 'AnyResEncode',
} as const satisfies Record<Recipe, string>;

/** The choice as query parameters. */
export function queryOf({ model, options }: Choice): Record<string, string> {
  return { ...(model === '' ? {} : { model }), ...options };
}

/** The choice in a few words. */
export function titleOf({ model, recipe }: Choice, taken: string | undefined): string {
  const unnamed = recipe === 'teacher' ? 'the teacher' : 'the default';
  return `${model === '' ? (taken ?? unnamed) : model}, ${recipeNames[recipe]}`;
}
