import type { ReloadLogger, Ticker } from '../../src/transport/security/reloaded-files.ts';

/** A ticker that the test ticks: `look` resolves when all have looked. */
export function handTicker() {
  const looks = new Set<() => Promise<void>>();
  const ticker: Ticker = (look) => {
    looks.add(look);
    return () => looks.delete(look);
  };
  const lookAll = async (times = 1): Promise<void> => {
    for (let i = 0; i < times; i++) for (const look of looks) await look();
  };
  return { ticker, looks, look: lookAll };
}

export interface LogLine {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A log that keeps its lines. */
export function keptLog() {
  const lines: LogLine[] = [];
  const log = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields: { ...fields }, message });
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  return { lines, logger: logger satisfies ReloadLogger };
}
