import type { LogSignalSource } from './log-signal.ts';
import type { ProgressTarget } from './progress.ts';
import { onStopSignal, type SignalSource, type StopSignal } from './stop-signals.ts';

/** What a command needs of the process it runs in. */
export interface Terminal {
  readonly stdout: ProgressTarget & { readonly fd: number };
  readonly stderr: ProgressTarget & { readonly fd: number };
  readonly signals: SignalSource & LogSignalSource;
  /** Milliseconds, on a clock that only goes forward. */
  readonly now: () => number;
  /** Ends the process now, whatever it is doing. */
  readonly exitAtOnce: (signal: StopSignal) => void;
}

/** Runs `work` with an abort signal that a stop signal fires; a second one ends the process at once. */
export async function interruptible<T>(
  { signals, now, exitAtOnce }: Terminal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort();
  const stopListening = onStopSignal(signals, { now, stop, stopAtOnce: exitAtOnce });
  try {
    return await work(controller.signal);
  } finally {
    stopListening();
  }
}
