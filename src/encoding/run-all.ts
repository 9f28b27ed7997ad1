import { RequestAbort, type StopSignal } from '../errors/abort.ts';

/**
 * Runs `work` on all items concurrently and aborts the others when one fails. Rejects with the first failure once all
 * have ended, so that the caller can then free what they used.
 */
export async function runAll<Item, T>(
  items: readonly Item[],
  signal: StopSignal,
  work: (item: Item, signal: StopSignal, index: number) => Promise<T>,
): Promise<T[]> {
  const [only] = items;
  if (only !== undefined && items.length === 1) return [await work(only, signal, 0)];
  const all = new RequestAbort();
  const follow = (): void => all.abort(signal.reason);
  signal.addEventListener('abort', follow);
  if (signal.aborted) follow();
  const failures: unknown[] = [];
  const outcomes = await Promise.allSettled(
    items.map((item, index) =>
      work(item, all, index).catch((thrown: unknown) => {
        failures.push(thrown);
        all.abort(thrown);
        throw thrown;
      }),
    ),
  );
  signal.removeEventListener('abort', follow);
  if (failures.length > 0) throw failures[0];
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}
