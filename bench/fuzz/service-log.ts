import { open } from 'node:fs/promises';

/** Something that a healthy service does not say. */
export interface LogFault {
  readonly line: string;
  /** The case whose request it is about, where it says so. */
  readonly number?: number;
}

/** Reads what a service has said since it was last asked, and picks what is wrong of it. */
export class ServiceLog {
  readonly #file: string;
  #at = 0;
  #half = '';

  constructor(file: string) {
    this.#file = file;
  }

  async faults(): Promise<LogFault[]> {
    const file = await open(this.#file);
    try {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(size - this.#at),
        0,
        size - this.#at,
        this.#at,
      );
      this.#at += bytesRead;
      const lines = (this.#half + buffer.toString('utf8', 0, bytesRead)).split('\n');
      this.#half = lines.pop() ?? '';
      return lines.map(logFault).filter((fault) => fault !== undefined);
    } finally {
      await file.close();
    }
  }
}

/** Undefined for a line below level error, and for libvips' warnings, which it writes itself. */
export function logFault(line: string): LogFault | undefined {
  if (line.trim() === '' || /VIPS-WARNING/.test(line)) return undefined;
  let said: unknown;
  try {
    said = JSON.parse(line);
  } catch {
    return { line };
  }
  const { level, request_id: id } = (said ?? {}) as Record<string, unknown>;
  if (level !== 'error' && level !== 'fatal') return undefined;
  const number = typeof id === 'string' ? /^fuzz-(\d+)$/.exec(id)?.[1] : undefined;
  return number === undefined ? { line } : { line, number: Number(number) };
}
