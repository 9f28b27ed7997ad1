import { eitherSignal } from '../errors/abort.ts';

/**
 * Runs `work` on all items concurrently and aborts the others when one fails. Rejects with the first failure once all
 * have ended, so that the caller can then free what they used.
 */
export async function runAll<Item, T>(
  items: readonly Item[],
  signal: AbortSignal,
  work: (item: Item, signal: AbortSignal, index: number) => Promise<T>,
): Promise<T[]> {
  const [only] = items;
  if (only !== undefined && items.length === 1) return [await work(only, signal, 0)];
  const others = new AbortController();
  const all = eitherSignal(signal, others.signal);
  const failures: unknown[] = [];
  const outcomes = await Promise.allSettled(
    items.map((item, index) =>
      work(item, all, index).catch((thrown: unknown) => {
        failures.push(thrown);
        others.abort(thrown);
        throw thrown;
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}
