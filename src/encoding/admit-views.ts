import type { ViewsPermit } from '../admission/view-budget.ts';
import { ServiceError } from '../errors/service-error.ts';
import { planCost } from '../recipes/cost.ts';
import type { Plan } from '../recipes/plan.ts';
import type { EncodingParts } from './encoding-parts.ts';
import type { ResolvedRequest } from './resolve-request.ts';

/**
 * Safety factor: measured times are medians, and decoding and sending are not in them. Without it a request that just
 * fits is late half the time.
 */
const deadlineMargin = 1.25;

/**
 * Room in the queue for the views of all plans, or for none: a permit each. Throws `overloaded` where there is none,
 * and `deadline_exceeded` where the views cannot be encoded in time.
 */
export function admitViews(
  { viewBudget, now }: EncodingParts,
  { model, batcher, terms, deadlineAt }: ResolvedRequest,
  plans: readonly Plan[],
): readonly ViewsPermit[] {
  if (plans.length === 0) return [];
  const loads = plans.map((plan) => planCost(plan).load);
  const views = loads.reduce((sum, load) => sum + load, 0);
  const queueMs = batcher.expectedMs(viewBudget.ahead(model.name, views, terms), views) ?? 0;
  requireTime(queueMs * deadlineMargin, deadlineAt - now());
  return viewBudget.admit(loads, model.name, terms);
}

function requireTime(expectedMs: number, leftMs: number): void {
  if (leftMs <= 0) {
    throw new ServiceError('deadline_exceeded', 'The deadline passed before the work began.', {
      bound: 'deadline',
    });
  }
  if (expectedMs > leftMs) {
    throw new ServiceError(
      'deadline_exceeded',
      `The answer is expected in ${Math.ceil(expectedMs)} ms, but the deadline is in ${Math.floor(leftMs)} ms.`,
      { bound: 'deadline' },
    );
  }
}
