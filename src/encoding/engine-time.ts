import type { ViewTokens } from '../inference/waiting-view.ts';

/** How long an engine ran any of these views, which joined the queue together. Time that two batches share counts once. */
export function engineTime(views: readonly Pick<ViewTokens, 'queueMs' | 'engineMs'>[]): number {
  let sumMs = 0;
  let untilMs = 0;
  for (const { queueMs, engineMs } of views.toSorted((a, b) => a.queueMs - b.queueMs)) {
    const endMs = queueMs + engineMs;
    sumMs += Math.max(0, endMs - Math.max(untilMs, queueMs));
    untilMs = Math.max(untilMs, endMs);
  }
  return sumMs;
}
