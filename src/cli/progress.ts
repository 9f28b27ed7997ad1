import { SingleBar } from 'cli-progress';

/** How far something is. */
export interface Progress {
  update(done: number, total: number): void;
  /** Leaves the terminal as it was. */
  close(): void;
}

/** Where people look. */
export interface ProgressTarget extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
}

/** A progress bar on a terminal, nothing elsewhere. `format` is cli-progress's. */
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
    update(done, total) {
      if (!running) bar.start(total, done);
      running = true;
      bar.setTotal(total);
      bar.update(done);
    },
    close() {
      if (running) bar.stop();
    },
  };
}
