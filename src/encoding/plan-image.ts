import type { Plan, Size } from '../recipes/plan.ts';
import { planRecipe } from '../recipes/planner.ts';
import type { EncodingParts } from './encoding-parts.ts';
import type { ResolvedRequest } from './resolve-request.ts';

/** Plans the answer for an image of this size. Throws what planRecipe throws. */
export function planImage(
  { served }: EncodingParts,
  { planModel, recipe, output }: ResolvedRequest,
  size: Size,
): Plan {
  const models = served.map(({ model }) => model);
  return planRecipe(size, planModel, recipe, models, output);
}
