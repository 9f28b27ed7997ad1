import type { ImageOutcome } from '../tokens/formats/image-outcome.ts';

/** Yields outcomes in order of completion, and keeps none that it has yielded. */
export function inCompletionOrder<Outcome extends ImageOutcome>(
  outcomes: readonly Promise<Outcome>[],
): AsyncGenerator<Outcome, void, void> {
  return take(new Map(outcomes.entries()));
}

/** Has no access to the list: a running generator keeps its arguments. */
async function* take<Outcome extends ImageOutcome>(
  waiting: Map<number, Promise<Outcome>>,
): AsyncGenerator<Outcome, void, void> {
  while (waiting.size > 0) {
    const outcome = await Promise.race(waiting.values());
    waiting.delete(outcome.index);
    yield outcome;
  }
}
