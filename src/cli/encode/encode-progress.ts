import { openProgress } from '../progress.ts';
import type { Terminal } from '../terminal.ts';

/** What has become of the images so far. */
export interface Counts {
  /** Encoded in this run. */
  readonly encoded: number;
  readonly failed: number;
  /** Encoded in earlier runs. */
  readonly there: number;
}

/** Shows how far the work is and how fast. */
export interface EncodeProgress {
  update(counts: Counts, total: number): void;
  close(): void;
}

const lineEveryMs = 10_000;
const paceOverMs = 60_000;

/** A bar on a terminal; elsewhere a line every ten seconds. */
export function openEncodeProgress({ stderr, now }: Terminal): EncodeProgress {
  const bar = openProgress(stderr, 'encoding [{bar}] {value} of {total}, {pace}');
  const isTerminal = stderr.isTTY === true;
  const pace = new Pace(now());
  let lineMs = now();
  return {
    update({ encoded, failed, there }, total) {
      const nowMs = now();
      const handled = encoded + failed;
      const perSecond = pace.perSecond(nowMs, handled);
      const done = handled + there;
      const left = Math.max(0, total - done);
      const paceText = `${perSecond.toFixed(1)} images/s, ${timeText(left / perSecond)} left`;
      if (isTerminal) bar.update(done, total, { pace: paceText });
      if (isTerminal || nowMs - lineMs < lineEveryMs) return;
      lineMs = nowMs;
      const failures = failed === 0 ? '' : `, ${failed} failed`;
      stderr.write(`siglip-hd: ${done} of ${total} images${failures}, ${paceText}\n`);
    },
    close: () => bar.close(),
  };
}

/**
 * Images per second over the last minute, from the first image on. A mean since the start of the command would count the time
 * that a resumed run takes to pass over the images of earlier runs.
 */
class Pace {
  /** At most one a second; the first is where the minute starts. */
  #marks: { readonly atMs: number; readonly count: number }[];

  constructor(startMs: number) {
    this.#marks = [{ atMs: startMs, count: 0 }];
  }

  perSecond(atMs: number, count: number): number {
    if (count === 0) this.#marks = [];
    const marks = this.#marks;
    if (marks.length === 0 || atMs - marks.at(-1)!.atMs >= 1000) marks.push({ atMs, count });
    while (marks.length > 1 && atMs - marks[1]!.atMs >= paceOverMs) marks.shift();
    const [first] = marks;
    return ((count - first!.count) * 1000) / Math.max(1, atMs - first!.atMs);
  }
}

function timeText(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'unknown time';
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
