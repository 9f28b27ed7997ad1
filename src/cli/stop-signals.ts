/** The signals that ask a process to end; SIGHUP comes when its terminal is closed. */
export const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

export type StopSignal = (typeof stopSignals)[number];

/** Where they come from: `process`, or a test's. */
export interface SignalSource {
  on(signal: StopSignal, listener: (signal: StopSignal) => void): unknown;
  off(signal: StopSignal, listener: (signal: StopSignal) => void): unknown;
}

export interface StopHandlers {
  readonly now: () => number;
  /** Called once, at the first signal. */
  readonly stop: (signal: StopSignal) => void;
  /** Called at every later one. */
  readonly stopAtOnce: (signal: StopSignal) => void;
}

/** Below this, a signal is taken for an echo of the first. */
const echoMs = 200;

/**
 * Listens for the stop signals until the returned function is called. A second signal right after the first is the
 * same one: npm passes on a Ctrl-C that the terminal has sent to its child as well.
 */
export function onStopSignal(source: SignalSource, { now, stop, stopAtOnce }: StopHandlers): () => void {
  let firstMs: number | undefined;
  const listener = (signal: StopSignal) => {
    if (firstMs === undefined) {
      firstMs = now();
      stop(signal);
    } else if (now() - firstMs >= echoMs) {
      stopAtOnce(signal);
    }
  };
  for (const signal of stopSignals) source.on(signal, listener);
  return () => {
    for (const signal of stopSignals) source.off(signal, listener);
  };
}
