import type { StageTimings } from '../request.ts';

/** Of several images that were encoded at once: each stage's longest time. */
export function slowest(timings: readonly StageTimings[]): StageTimings {
  const most = (read: (timing: StageTimings) => number) => Math.max(...timings.map(read));
  return {
    decodeMs: most(({ decodeMs }) => decodeMs),
    viewsMs: most(({ viewsMs }) => viewsMs),
    queueMs: most(({ queueMs }) => queueMs),
    engineMs: most(({ engineMs }) => engineMs),
    ...(timings.some(({ assembleMs }) => assembleMs !== undefined)
      ? { assembleMs: most(({ assembleMs = 0 }) => assembleMs) }
      : {}),
  };
}

/** The Server-Timing header. */
export function serverTiming(timings: StageTimings & { readonly writeMs: number }): string {
  const stages = [
    ['decode', timings.decodeMs],
    ['views', timings.viewsMs],
    ['queue', timings.queueMs],
    ['engine', timings.engineMs],
    ...(timings.assembleMs === undefined ? [] : [['assemble', timings.assembleMs] as const]),
    ['write', timings.writeMs],
  ] as const;
  return stages.map(([stage, ms]) => `${stage};dur=${ms.toFixed(2)}`).join(', ');
}
