/** Wall time of each stage in milliseconds; for several images, of the slowest. */
export interface StageTimings {
  readonly decodeMs: number;
  readonly viewsMs: number;
  /** For a place to be decoded in, and for the engine. */
  readonly queueMs: number;
  readonly engineMs: number;
  /** From the views' tokens to the answer's; next to nothing where there is nothing to assemble. */
  readonly assembleMs?: number;
}

/** Where an image's tokens come from: the cache, work that another request began, or its own. */
export const answerSources = ['hit', 'joined', 'miss'] as const;
export type AnswerSource = (typeof answerSources)[number];

/** Of what was there already. */
export const noTime: StageTimings = { decodeMs: 0, viewsMs: 0, queueMs: 0, engineMs: 0, assembleMs: 0 };

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

/** Of several images: hit where all were in the cache, miss where any was encoded for this request. */
export function leastReady(sources: readonly AnswerSource[]): AnswerSource {
  return answerSources.findLast((source) => sources.includes(source)) ?? 'miss';
}
