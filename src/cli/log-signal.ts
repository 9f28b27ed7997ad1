import type { Logger } from 'pino';

export const logSignal = 'SIGUSR2';

/** Where it comes from: `process`, or a test's. */
export interface LogSignalSource {
  on(signal: typeof logSignal, listener: () => void): unknown;
  off(signal: typeof logSignal, listener: () => void): unknown;
}

/** Has SIGUSR2 switch a log between its level and `debug`, until the returned function is called. */
export function onLogSignal(source: LogSignalSource, logger: Logger): () => void {
  const usual = logger.level;
  const listener = (): void => {
    logger.level = logger.level === 'debug' ? usual : 'debug';
    logger.warn({ logLevel: logger.level }, 'the log level was switched');
  };
  source.on(logSignal, listener);
  return () => void source.off(logSignal, listener);
}
