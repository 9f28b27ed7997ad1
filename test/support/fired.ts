import type { StopSignal } from '../../src/errors/abort.ts';

/** Resolves when the signal has fired. */
export function fired(signal: StopSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', resolve);
  });
}
