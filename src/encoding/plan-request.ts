import { planCost } from '../recipes/cost.ts';
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
  const resolved = resolveRequest(parts, request);
  const { options, terms, limitAnswer } = resolved;
  const plan = resolved.plan(size);
  const { tokens, load } = planCost(plan);
  const sizeBytes = answerBytes(plan, options.dtype);
  limitAnswer(sizeBytes);
  parts.viewBudget.requireRoomFor(load, terms);
  const metadata = answerMetadata(resolved, plan, [size], false);
  return { metadata, tokens, sizeBytes };
}

/** Throws if a request is invalid whatever its images are. */
export function validateRequest(
  parts: EncodingParts,
  request: Pick<EncodeRequest, 'recipe' | 'options'>,
): void {
  resolveRequest(parts, request).plan({ width: 1, height: 1 });
}
