import { withoutControls } from '../../errors/quoted.ts';
import type { Terminal } from '../terminal.ts';

/** Failures that are listed where a manifest has all. */
const mostListed = 50;

/** The files that failed, for the end of the run. Names of a tar's members may have any characters. */
export class Failures {
  readonly #terminal: Pick<Terminal, 'stderr'>;
  readonly #manifest: string | undefined;
  readonly #lines: string[] = [];
  #count = 0;

  /** `manifest` is the path of the manifest, if there is one. */
  constructor(terminal: Pick<Terminal, 'stderr'>, manifest: string | undefined) {
    this.#terminal = terminal;
    this.#manifest = manifest;
  }

  add(file: string, text: string): void {
    this.#count += 1;
    if (this.#manifest !== undefined && this.#lines.length >= mostListed) return;
    this.#lines.push(withoutControls(`${file}: ${text}`));
  }

  list(): void {
    const more = this.#count - this.#lines.length;
    const lines = [
      ...this.#lines,
      ...(more === 0 ? [] : [`${more} more files failed; ${this.#manifest} has all.`]),
    ];
    for (const line of lines) this.#terminal.stderr.write(`siglip-hd: ${line}\n`);
  }
}
