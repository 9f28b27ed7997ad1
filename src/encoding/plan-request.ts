import { planCost } from '../recipes/cost.ts';
import { planRecipe } from '../recipes/planner.ts';
import { answerBytes, answerMetadata } from './answer.ts';
import type { EncodingParts } from './encoding-parts.ts';
import type { EncodeRequest, PlanAnswer, PlanRequest } from './request.ts';
import { resolveRequest } from './resolve-request.ts';

/**
 * Describes the answer that the encode call would give for an image of this size. Throws what the encode call would throw
 * on an idle service.
 */
export function planAnswer(parts: EncodingParts, request: PlanRequest): PlanAnswer {
  const { size } = request;
  parts.requireSize(size);
  const { model, recipe, output, options, terms, limitAnswer } = resolveRequest(parts, request);
  const plan = planRecipe(size, model, recipe, modelsOf(parts), output);
  const { tokens, load } = planCost(plan);
  const sizeBytes = answerBytes(plan, options.dtype);
  limitAnswer(sizeBytes);
  parts.viewBudget.requireRoomFor(load, terms);
  const metadata = answerMetadata({
    model,
    plan,
    output,
    dtype: options.dtype,
    sizes: [size],
    stacked: false,
  });
  return { metadata, tokens, sizeBytes };
}

/** Throws if a request is invalid whatever its images are. */
export function validateRequest(
  parts: EncodingParts,
  request: Pick<EncodeRequest, 'recipe' | 'options'>,
): void {
  const { model, recipe, output } = resolveRequest(parts, request);
  planRecipe({ width: 1, height: 1 }, model, recipe, modelsOf(parts), output);
}

function modelsOf({ served }: EncodingParts) {
  return served.map(({ model }) => model);
}
