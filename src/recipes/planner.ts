import type { RecipeOptions } from './recipe-options.ts';
import { planAnyres } from './anyres.ts';
import { planEncode } from './encode.ts';
import type { Plan, Size } from './plan.ts';
import { planTeacher } from './teacher.ts';
import type { PlanModel } from './plan-model.ts';

/** Plans whichever recipe is requested, with the served models. Throws what that recipe's planner throws. */
export function planRecipe(
  image: Size,
  model: PlanModel,
  recipe: RecipeOptions,
  served: readonly PlanModel[] = [model],
): Plan {
  switch (recipe.recipe) {
    case 'encode':
      return planEncode(image, model);
    case 'teacher':
      return planTeacher(image, model, recipe, served);
    case 'anyres':
      return planAnyres(image, model, recipe);
  }
}
