/** What the forecast must know of an engine. Times are milliseconds. */
export interface EngineForecast {
  /** When it has finished the batches that it has. */
  readonly freeInMs: number;
  /** The largest batch worth running. */
  readonly largest: number;
  readonly batchMs: (views: number) => number;
}

/** When the last of so many views is encoded, if each engine takes a batch of them as soon as it is free. */
export function expectedEndMs(engines: readonly EngineForecast[], views: number): number {
  const lanes = engines.map(({ freeInMs, largest, batchMs }) => ({
    freeInMs,
    largest,
    fullMs: batchMs(largest),
    batchMs,
  }));
  let endMs = 0;
  for (let left = views; left > 0 && lanes.length > 0; ) {
    const next = lanes.reduce((first, lane) => (lane.freeInMs < first.freeInMs ? lane : first));
    next.freeInMs += left < next.largest ? next.batchMs(left) : next.fullMs;
    left -= Math.min(left, next.largest);
    endMs = Math.max(endMs, next.freeInMs);
  }
  return endMs;
}
