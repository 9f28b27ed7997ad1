import type { Logger } from 'pino';
import { ServiceError } from '../errors/service-error.ts';
import type { ProgressTarget } from './progress.ts';

/** The signals that ask a process to stop. The system sends SIGHUP when the terminal closes. */
export const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
export type StopSignal = (typeof stopSignals)[number];

/** The signal that switches the log level. */
export const logSignal = 'SIGUSR2';

/** Emits signals: `process`, or a test's emitter. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: StopSignal) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: StopSignal) => void): unknown;
}

/** What a command needs of the process that it runs in. */
export interface Terminal {
  readonly stdout: ProgressTarget & { readonly fd: number };
  readonly stderr: ProgressTarget & { readonly fd: number };
  readonly signals: SignalSource;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  /** Ends the process at once, whatever it is doing. */
  readonly exitAtOnce: (signal: StopSignal) => void;
}

export interface StopHandlers {
  readonly now: () => number;
  /** Called once, at the first signal. */
  readonly stop: (signal: StopSignal) => void;
  /** Called at every later signal. */
  readonly stopAtOnce: (signal: StopSignal) => void;
}

/** A second signal within this time is an echo of the first. */
const echoMs = 200;

/**
 * Listens for stop signals until the returned function is called. At Ctrl-C the terminal signals every process of its
 * group and npm forwards the signal as well, so a second signal right after the first is ignored.
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

/** Makes SIGUSR2 switch a log between its level and `debug`, until the returned function is called. */
export function onLogSignal(source: SignalSource, logger: Logger): () => void {
  const usual = logger.level;
  const listener = (): void => {
    logger.level = logger.level === 'debug' ? usual : 'debug';
    logger.warn({ logLevel: logger.level }, 'log level switched');
  };
  source.on(logSignal, listener);
  return () => void source.off(logSignal, listener);
}

/** The failure of a command that a stop signal ended. */
export class Interruption extends ServiceError {
  readonly signal: StopSignal;

  constructor(signal: StopSignal, advice: string) {
    super('cancelled', `Interrupted.${advice}`);
    this.signal = signal;
  }
}

/**
 * Runs `work` with a signal that aborts at a stop signal. The reason is an Interruption whose sentence ends with `advice`; if
 * `work` then fails, however it does, rejects with it. A second stop signal ends the process at once.
 */
export async function interruptible<T>(
  { signals, now, exitAtOnce }: Terminal,
  work: (signal: AbortSignal) => Promise<T>,
  advice = '',
): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const stop = (stopSignal: StopSignal) => controller.abort(new Interruption(stopSignal, advice));
  const stopListening = onStopSignal(signals, { now, stop, stopAtOnce: exitAtOnce });
  try {
    return await work(signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    stopListening();
  }
}
