/** Resolves once `condition` is true, which it asks once per turn of the event loop. Rejects after `limitMs`. */
export async function until(condition: () => boolean | Promise<boolean>, limitMs = 30_000): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`not true within ${limitMs} ms: ${String(condition)}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
