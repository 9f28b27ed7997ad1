import type { AnyresOptions } from './anyres.ts';
import type { EncodeRecipeOptions } from './encode.ts';
import type { TeacherOptions } from './teacher.ts';

/** The recipe that turns an image into views and their tokens into the answer, with its validated options. */
export type RecipeOptions =
  | ({ readonly recipe: 'encode' } & EncodeRecipeOptions)
  | ({ readonly recipe: 'teacher' } & TeacherOptions)
  | ({ readonly recipe: 'anyres' } & AnyresOptions);
