// Kept from before tests mock the global setTimeout.
const { setTimeout: later } = globalThis;

/** Far beyond what a busy machine takes: it only ends a test that hangs. */
const usualLimitMs = 120_000;

/** The longest pause between two polls. */
const longestPauseMs = 20;

/**
 * Resolves once `condition` is true. Asks it once a turn of the event loop at first, then less and less often: a wait for
 * another process leaves the processor to that process. Rejects after `limitMs`.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  limitMs = usualLimitMs,
): Promise<void> {
  const startMs = performance.now();
  while (!(await condition())) {
    const waitedMs = performance.now() - startMs;
    if (waitedMs > limitMs) throw new Error(`not true within ${limitMs} ms: ${String(condition)}`);
    const pauseMs = Math.min(longestPauseMs, Math.floor(waitedMs / 10));
    await new Promise((resolve) => (pauseMs === 0 ? setImmediate(resolve) : later(resolve, pauseMs)));
  }
}

/** Resolves with a number once it has not changed for 100 ms. Rejects after two minutes. */
export async function settled(read: () => number): Promise<number> {
  let before = read();
  await until(async () => {
    await new Promise((resolve) => later(resolve, 100));
    const now = read();
    const isSettled = now === before;
    before = now;
    return isSettled;
  });
  return before;
}
