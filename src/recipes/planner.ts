import { ServiceError } from '../errors/service-error.ts';
import type { RecipeOptions } from './recipe-options.ts';
import { planAnyres } from './anyres.ts';
import { projectAfter, projectedModel } from './embeddings.ts';
import { planEncode, planPooled } from './encode.ts';
import type { Plan, Size, TokenOutput } from './plan.ts';
import { planTeacher } from './teacher.ts';
import type { PlanModel } from './plan-model.ts';

/**
 * Plans whichever recipe is requested, with the served models. Throws what that recipe's planner throws, and
 * `invalid_argument` for a size that no image can have. Embeddings need a model with a projector, and a pooled vector one
 * that has it.
 */
export function planRecipe(
  image: Size,
  model: PlanModel,
  recipe: RecipeOptions,
  served: readonly PlanModel[] = [model],
  output: TokenOutput = 'features',
): Plan {
  requireSize(image);
  if (output === 'pooled') return planPooledOf(image, model, recipe);
  const isProjected = output === 'embeddings';
  switch (recipe.recipe) {
    case 'encode':
      return planEncode(image, isProjected ? projectedModel(model) : model, recipe);
    case 'teacher': {
      // A projector is not linear: the scales are fused before it.
      const plan = planTeacher(model, recipe, served);
      return isProjected ? projectAfter(plan, model) : plan;
    }
    case 'anyres': {
      const newline = isProjected && model.projector?.newline === true;
      return planAnyres(image, isProjected ? projectedModel(model) : model, recipe, newline);
    }
  }
}

/** Tiles and scales have no vector of the whole image. */
function planPooledOf(image: Size, model: PlanModel, { recipe }: RecipeOptions): Plan {
  if (recipe === 'encode') return planPooled(image, model);
  throw new ServiceError(
    'invalid_argument',
    `output=pooled is one vector of the whole image, and the ${recipe} recipe has several views: use encode.`,
  );
}

function requireSize({ width, height }: Size): void {
  if ([width, height].every((side) => Number.isSafeInteger(side) && side >= 1)) return;
  throw new ServiceError(
    'invalid_argument',
    `The image size is ${width} x ${height} pixels; width and height must be positive whole numbers.`,
  );
}
