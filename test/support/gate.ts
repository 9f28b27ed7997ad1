import type { StopSignal } from '../../src/errors/abort.ts';

/** Makes its callers wait until it is opened. It stays open. */
export class Gate {
  #open: () => void = () => {};
  readonly #opened = new Promise<void>((resolve) => {
    this.#open = resolve;
  });

  open(): void {
    this.#open();
  }

  /** Resolves when the gate is open, or rejects with the signal's reason when that fires first. */
  passed(signal?: StopSignal): Promise<void> {
    if (signal === undefined) return this.#opened;
    return new Promise((resolve, reject) => {
      const leave = (): void => reject(signal.reason);
      if (signal.aborted) leave();
      signal.addEventListener('abort', leave);
      void this.#opened.then(resolve);
    });
  }
}
