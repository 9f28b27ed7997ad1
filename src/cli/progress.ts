import { SingleBar } from 'cli-progress';

/** Shows the progress of a task. */
export interface Progress {
  /** `values` fill in the format's own words. */
  update(done: number, total: number, values?: Readonly<Record<string, string>>): void;
  /** Removes the bar. */
  close(): void;
}

/** A stream that may be a terminal. */
export interface ProgressTarget extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
}

/** A progress bar if the target is a terminal, else nothing. `format` is cli-progress's. */
export function openProgress(target: ProgressTarget, format: string): Progress {
  if (target.isTTY !== true) return { update() {}, close() {} };
  const bar = new SingleBar({
    format,
    stream: target,
    clearOnComplete: true,
    hideCursor: true,
    barCompleteChar: '#',
    barIncompleteChar: '.',
  });
  let running = false;
  return {
    update(done, total, values = {}) {
      if (!running) bar.start(total, done, values);
      running = true;
      bar.setTotal(total);
      bar.update(done, values);
    },
    close() {
      if (running) bar.stop();
    },
  };
}
