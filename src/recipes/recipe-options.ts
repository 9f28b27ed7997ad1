import type { AnyresOptions } from './anyres.ts';
import type { TeacherOptions } from './teacher.ts';

/** How the image becomes views and their tokens the answer, with that recipe's own options, validated. */
export type RecipeOptions =
  | { readonly recipe: 'encode' }
  | ({ readonly recipe: 'teacher' } & TeacherOptions)
  | ({ readonly recipe: 'anyres' } & AnyresOptions);
