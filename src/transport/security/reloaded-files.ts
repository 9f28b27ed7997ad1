import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { allOf, ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';

/** Calls `look` every so often until the function that it gives is called. */
export type Ticker = (look: () => Promise<void>) => () => void;

/** Takes a line for each change; pino's logger fits. */
export interface ReloadLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Files that belong together, and what becomes of them. */
export interface FileSet {
  /** In words, for the log: "API keys". */
  readonly what: string;
  readonly files: readonly { readonly flag: string; readonly path: string }[];
  /**
   * Puts the files' contents, in their order, to use. Throws, and leaves everything as it was, where they are no
   * good.
   */
  readonly take: (contents: readonly Buffer[]) => void;
}

/** A tick every `ms`, which keeps no process alive. */
export function every(ms: number): Ticker {
  return (look) => {
    const timer = setInterval(() => void look(), ms).unref();
    return () => clearInterval(timer);
  };
}

/**
 * Files whose contents are taken at the start and again whenever they change. They are read, not watched: where
 * Kubernetes mounts a secret, the change is that of a symbolic link above them. A change is taken when two looks
 * have seen it alike, as a file may be half written and a certificate be there before its key. What is no good
 * then is logged once, and the old stays in use.
 */
export class ReloadedFiles {
  readonly #fileSet: FileSet;
  readonly #logger: ReloadLogger;
  readonly #stop: () => void;
  /** Fingerprints of what was last taken or logged, and of a change that was seen once. */
  #settled: string;
  #seenOnce: string | undefined;
  #looking = false;

  private constructor(fileSet: FileSet, logger: ReloadLogger, ticker: Ticker, settled: string) {
    this.#fileSet = fileSet;
    this.#logger = logger;
    this.#settled = settled;
    this.#stop = ticker(() => this.#look());
  }

  /** Takes the files. Rejects with `invalid_argument` for one that cannot be read, and with what `take` throws. */
  static async open(fileSet: FileSet, logger: ReloadLogger, ticker: Ticker): Promise<ReloadedFiles> {
    const contents = await readAll(fileSet);
    fileSet.take(contents);
    return new ReloadedFiles(fileSet, logger, ticker, fingerprint(contents));
  }

  close(): void {
    this.#stop();
  }

  async #look(): Promise<void> {
    // A file system that hangs is not asked twice.
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
