/**
 * Resolves once `condition` is true. Asks it once a turn of the event loop, or every `pauseMs`: one that asks another process
 * would take the processor from it. Rejects after `limitMs`.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  limitMs = 30_000,
  pauseMs?: number,
): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`not true within ${limitMs} ms: ${String(condition)}`);
    await new Promise((resolve) =>
      pauseMs === undefined ? setImmediate(resolve) : setTimeout(resolve, pauseMs),
    );
  }
}

/** Resolves with a number once it has not changed for 100 ms. Rejects after `limitMs`. */
export async function settled(read: () => number, limitMs = 30_000): Promise<number> {
  const giveUpAt = performance.now() + limitMs;
  for (let before = read(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = read();
    if (now === before) return now;
    if (performance.now() > giveUpAt) throw new Error(`still changing after ${limitMs} ms: ${String(read)}`);
    before = now;
  }
}
