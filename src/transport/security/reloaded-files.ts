import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { allOf, ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';

/** Calls `look` again and again, until the returned function is called. */
export type Ticker = (look: () => Promise<void>) => () => void;

/** Logs each change. pino's logger fits. */
export interface ReloadLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Files that belong together and what to do with their contents. */
export interface FileSet {
  /** Their name in the log, for example "API keys". */
  readonly what: string;
  readonly files: readonly { readonly flag: string; readonly path: string }[];
  /** Puts the contents, in the order of `files`, to use. Throws, and changes nothing, if they are invalid. */
  readonly take: (contents: readonly Buffer[]) => void;
}

/** A ticker with a fixed period. It does not keep the process alive. */
export function every(ms: number): Ticker {
  return (look) => {
    const timer = setInterval(() => void look(), ms).unref();
    return () => clearInterval(timer);
  };
}

/**
 * Files that are used from the start and reloaded whenever they change. They are read, not watched, because a secret
 * that Kubernetes mounts changes by a symbolic link above it.
 *
 * A change is used once two looks in a row have seen it. Until then a file may be half written, or a certificate may
 * have arrived before its key. An invalid change is logged once, and the old contents stay in use.
 */
export class ReloadedFiles {
  readonly #fileSet: FileSet;
  readonly #logger: ReloadLogger;
  readonly #stop: () => void;
  /** Fingerprint of the contents that were last used or logged. */
  #settled: string;
  /** Fingerprint of a change that one look has seen. */
  #seenOnce: string | undefined;
  #looking = false;

  private constructor(fileSet: FileSet, logger: ReloadLogger, ticker: Ticker, settled: string) {
    this.#fileSet = fileSet;
    this.#logger = logger;
    this.#settled = settled;
    this.#stop = ticker(() => this.#look());
  }

  /** Uses the files. Rejects with `invalid_argument` when one cannot be read, and with what `take` throws. */
  static async open(fileSet: FileSet, logger: ReloadLogger, ticker: Ticker): Promise<ReloadedFiles> {
    const contents = await readAll(fileSet);
    fileSet.take(contents);
    return new ReloadedFiles(fileSet, logger, ticker, fingerprint(contents));
  }

  close(): void {
    this.#stop();
  }

  async #look(): Promise<void> {
    // A file system may hang: only one look runs at a time.
    if (this.#looking) return;
    this.#looking = true;
    try {
      const found = await readAll(this.#fileSet).catch((error: unknown) => ServiceError.from(error));
      this.#notice(found);
    } finally {
      this.#looking = false;
    }
  }

  #notice(found: readonly Buffer[] | ServiceError): void {
    const now = found instanceof ServiceError ? found.message : fingerprint(found);
    const isNew = now !== this.#settled;
    const isAlike = now === this.#seenOnce;
    this.#seenOnce = isNew && !isAlike ? now : undefined;
    if (!isNew || !isAlike) return;
    this.#settled = now;
    const { what, take } = this.#fileSet;
    try {
      if (found instanceof ServiceError) throw found;
      take(found);
      this.#logger.info({}, `the ${what} have been reloaded`);
    } catch (thrown) {
      const { message, cause } = ServiceError.from(thrown);
      const why = cause instanceof Error ? { detail: message, cause: cause.message } : { detail: message };
      this.#logger.error(why, `the ${what} could not be reloaded; the old ones stay in use`);
    }
  }
}

async function readAll({ files }: FileSet): Promise<Buffer[]> {
  return await allOf(
    files.map(async ({ flag, path }) => {
      try {
        return await readFile(path);
      } catch (error) {
        throw new ServiceError('invalid_argument', `${flag} ${path} cannot be read: ${systemReason(error)}.`);
      }
    }),
  );
}

function fingerprint(contents: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const content of contents) hash.update(`${content.byteLength}:`).update(content);
  return hash.digest('hex');
}
