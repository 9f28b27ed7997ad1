import { destination, type Logger, pino, stdTimeFunctions } from 'pino';
import { build as pretty } from 'pino-pretty';

export interface LoggerOptions {
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';
  readonly logFormat: 'auto' | 'json' | 'pretty';
}

/** The open file that a log is written to. */
export interface LogTarget {
  readonly fd: number;
  readonly isTTY?: boolean;
}

/**
 * A log that writes each entry synchronously, so that none is lost when the process ends. JSON has `level` as a word and
 * `time` in ISO 8601. `pretty` is for people: coloured on a terminal, with error stacks on lines of their own.
 */
export function createLogger({ logLevel, logFormat }: LoggerOptions, target: LogTarget): Logger {
  const terminal = target.isTTY === true;
  if (logFormat === 'pretty' || (logFormat === 'auto' && terminal)) {
    const stream = pretty({
      destination: target.fd,
      sync: true,
      colorize: terminal,
      translateTime: 'SYS:HH:MM:ss.l',
      singleLine: true,
    });
    return pino({ level: logLevel, base: null }, stream);
  }
  return pino(
    {
      level: logLevel,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ fd: target.fd, sync: true }),
  );
}
