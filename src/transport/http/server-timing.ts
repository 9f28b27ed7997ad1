import type { StageTimings } from '../../telemetry/stage-timings.ts';

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
