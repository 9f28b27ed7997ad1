import type { ImageOutcome } from '../tokens/formats/image-outcome.ts';

/** Yields outcomes in order of completion, and keeps none that it has yielded. */
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
