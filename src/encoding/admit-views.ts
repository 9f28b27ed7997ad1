import type { ViewsPermit } from '../admission/view-budget.ts';
import { ServiceError } from '../errors/service-error.ts';
import { planCost } from '../recipes/cost.ts';
import type { EncodingParts } from './encoding-parts.ts';
import type { PlannedImage } from './planned-image.ts';
import type { ResolvedRequest } from './resolve-request.ts';

/**
 * Measured times are medians, without decoding and sending. Without this factor, a request that just fits would be late
 * half the time.
 */
const deadlineMargin = 1.25;

/**
 * Admits the views of all images or of none, with a permit for each image. Throws `overloaded` when they do not fit now,
 * and `deadline_exceeded` when they cannot be encoded in time.
 */
export function admitViews(
  { viewBudget, now }: EncodingParts,
  { model, batcher, terms }: ResolvedRequest,
  images: readonly PlannedImage[],
): readonly ViewsPermit[] {
  if (images.length === 0) return [];
  const loads = images.map(({ plan }) => planCost(plan).load);
  const views = loads.reduce((sum, load) => sum + load, 0);
  const queueMs = batcher.expectedMs(viewBudget.ahead(model.name, views, terms), views) ?? 0;
  requireTime(queueMs * deadlineMargin, (terms.deadlineAt ?? Number.POSITIVE_INFINITY) - now());
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
