import type { ImageOutcome } from '../tokens/formats/image-outcome.ts';

/** Gives outcomes as they complete, and keeps none of those that it gave. */
export async function* inCompletionOrder<Outcome extends ImageOutcome>(
  outcomes: readonly Promise<Outcome>[],
): AsyncGenerator<Outcome, void, void> {
  const waiting = new Map(outcomes.entries());
  while (waiting.size > 0) {
    const outcome = await Promise.race(waiting.values());
    waiting.delete(outcome.index);
    yield outcome;
  }
}
