/**
 * The wall time of each stage in milliseconds. Those of one image do not overlap, so they add up to less than the request's time.
 * For several images, each is the longest.
 */
export interface StageTimings {
  readonly decodeMs: number;
  readonly viewsMs: number;
  /** Waiting to be decoded, and while no engine ran any of its views, with the hand-overs between threads. */
  readonly queueMs: number;
  /** While an engine ran any of its views. */
  readonly engineMs: number;
  /** From the views' tokens to the answer's; close to 0 if there is nothing to assemble. */
  readonly assembleMs?: number;
  /** Views, of this request and others, in the largest batch that the engine ran for it; absent if it ran none. */
  readonly batchViews?: number;
}

/** Where an image's tokens come from: the cache, another request's work, or the request's own work. */
export const answerSources = ['hit', 'joined', 'miss'] as const;
export type AnswerSource = (typeof answerSources)[number];

/** The timings of tokens that were not encoded for the request. */
export const noTime: StageTimings = { decodeMs: 0, viewsMs: 0, queueMs: 0, engineMs: 0, assembleMs: 0 };

/** The longest time of each stage, over images that were encoded at the same time. */
export function slowest(timings: readonly StageTimings[]): StageTimings {
  const [only] = timings;
  if (only !== undefined && timings.length === 1) return only;
  const most = (read: (timing: StageTimings) => number) => Math.max(...timings.map(read));
  const batchViews = most(({ batchViews: views = 0 }) => views);
  return {
    decodeMs: most(({ decodeMs }) => decodeMs),
    viewsMs: most(({ viewsMs }) => viewsMs),
    queueMs: most(({ queueMs }) => queueMs),
    engineMs: most(({ engineMs }) => engineMs),
    ...(timings.some(({ assembleMs }) => assembleMs !== undefined)
      ? { assembleMs: most(({ assembleMs = 0 }) => assembleMs) }
      : {}),
    ...(batchViews > 0 ? { batchViews } : {}),
  };
}

/** The source of several images: hit if all were in the cache, miss if any was encoded for this request. */
export function leastReady(sources: readonly AnswerSource[]): AnswerSource {
  return answerSources.findLast((source) => sources.includes(source)) ?? 'miss';
}
