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
  passed(signal?: AbortSignal): Promise<void> {
    if (signal === undefined) return this.#opened;
    return new Promise((resolve, reject) => {
      const leave = (): void => reject(signal.reason as Error);
      if (signal.aborted) leave();
      signal.addEventListener('abort', leave, { once: true });
      void this.#opened.then(resolve);
    });
  }
}
