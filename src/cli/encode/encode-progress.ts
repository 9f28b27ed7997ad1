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
const rateOverMs = 60_000;

/** A bar on a terminal; elsewhere a line every ten seconds. */
export function openEncodeProgress({ stderr, now }: Terminal): EncodeProgress {
  const bar = openProgress(stderr, 'encoding [{bar}] {value} of {total}, {pace}');
  const isTerminal = stderr.isTTY === true;
  const rate = new Rate(now());
  let lineMs = now();
  return {
    update({ encoded, failed, there }, total) {
      const nowMs = now();
      const handled = encoded + failed;
      rate.add(nowMs, handled);
      const done = handled + there;
      const left = Math.max(0, total - done);
      const pace = `${rate.perSecond.toFixed(1)} images/s, ${timeText(left / rate.perSecond)} left`;
      if (isTerminal) bar.update(done, total, { pace });
      if (isTerminal || nowMs - lineMs < lineEveryMs) return;
      lineMs = nowMs;
      const failures = failed === 0 ? '' : `, ${failed} failed`;
      stderr.write(`siglip-hd: ${done} of ${total} images${failures}, ${pace}\n`);
    },
    close: () => bar.close(),
  };
}

/** Images per second over the last minute. */
class Rate {
  readonly #marks: { readonly atMs: number; readonly count: number }[];

  constructor(nowMs: number) {
    this.#marks = [{ atMs: nowMs, count: 0 }];
  }

  add(atMs: number, count: number): void {
    const last = this.#marks.at(-1)!;
    // A mark each second is enough.
    if (this.#marks.length > 1 && atMs - this.#marks.at(-2)!.atMs < 1000) this.#marks.pop();
    if (atMs > last.atMs || count > last.count) this.#marks.push({ atMs, count });
    while (this.#marks.length > 2 && atMs - this.#marks[1]!.atMs > rateOverMs) this.#marks.shift();
  }

  get perSecond(): number {
    const first = this.#marks[0]!;
    const last = this.#marks.at(-1)!;
    return last.atMs === first.atMs ? 0 : ((last.count - first.count) * 1000) / (last.atMs - first.atMs);
  }
}

function timeText(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'unknown time';
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
