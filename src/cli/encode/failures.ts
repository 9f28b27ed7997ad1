import { withoutControls } from '../../errors/quoted.ts';
import type { Terminal } from '../terminal.ts';

/** Failures that are listed. The manifest has all. */
const mostListed = 50;

/** The files that failed, for the end of the run. Names of a tar's members may have any characters. */
export class Failures {
  readonly #terminal: Pick<Terminal, 'stderr'>;
  readonly #lines: string[] = [];
  #count = 0;

  constructor(terminal: Pick<Terminal, 'stderr'>) {
    this.#terminal = terminal;
  }

  add(file: string, text: string): void {
    this.#count += 1;
    if (this.#lines.length < mostListed) this.#lines.push(withoutControls(`${file}: ${text}`));
  }

  list(manifest: string | undefined): void {
    const more = this.#count - this.#lines.length;
    const all = manifest === undefined ? '' : `; ${manifest} has all`;
    const lines = [...this.#lines, ...(more === 0 ? [] : [`${more} more files failed${all}.`])];
    for (const line of lines) this.#terminal.stderr.write(`siglip-hd: ${line}\n`);
  }
}
