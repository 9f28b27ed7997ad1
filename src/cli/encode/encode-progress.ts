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

/** A bar on a terminal; elsewhere a line every ten seconds. */
export function openEncodeProgress({ stderr, now }: Terminal): EncodeProgress {
  const bar = openProgress(stderr, 'encoding [{bar}] {value} of {total}, {pace}');
  const isTerminal = stderr.isTTY === true;
  const startMs = now();
  let lineMs = startMs;
  return {
    update({ encoded, failed, there }, total) {
      const nowMs = now();
      const handled = encoded + failed;
      const perSecond = (handled * 1000) / Math.max(1, nowMs - startMs);
      const done = handled + there;
      const left = Math.max(0, total - done);
      const pace = `${perSecond.toFixed(1)} images/s, ${timeText(left / perSecond)} left`;
      if (isTerminal) bar.update(done, total, { pace });
      if (isTerminal || nowMs - lineMs < lineEveryMs) return;
      lineMs = nowMs;
      const failures = failed === 0 ? '' : `, ${failed} failed`;
      stderr.write(`siglip-hd: ${done} of ${total} images${failures}, ${pace}\n`);
    },
    close: () => bar.close(),
  };
}

function timeText(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'unknown time';
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
