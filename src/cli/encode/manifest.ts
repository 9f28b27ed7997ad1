import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { ServiceError } from '../../errors/service-error.ts';
import { flagName } from '../settings/setting.ts';
import { brokenOutput } from './broken-output.ts';
import type { FolderLock } from './folder-lock.ts';
import type { WrittenTokens } from './token-sink.ts';

export const manifestName = 'manifest.jsonl';

/** What tokens depend on besides the image: the same for all tokens of a folder. */
export interface Provenance {
  readonly model: { readonly name: string; readonly digest: string };
  /** The projector's digest; undefined with features. */
  readonly projector?: string | undefined;
  /** With windows=whole, the digest of each scale's model, in the order of the scales; undefined otherwise. */
  readonly scale_models?: readonly string[] | undefined;
  readonly recipe: string;
  readonly options: Readonly<Record<string, string | undefined>>;
  readonly format: string;
}

/** An image that was encoded. */
export interface EncodedLine extends WrittenTokens {
  readonly file: string;
  /** Bytes of the image's file, and their SHA-256 in hex digits. */
  readonly size: number;
  readonly sha256: string;
  readonly shape: readonly number[];
}

/** An image that failed. */
export interface FailedLine {
  readonly file: string;
  readonly error: { readonly code: string; readonly detail: string };
}

/**
 * The manifest of a folder of tokens: a JSON object on a line for each image, in the order in which they finished. A line is
 * written once its tokens are.
 */
export class Manifest {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #provenance: Provenance;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, handle: FileHandle, provenance: Provenance) {
    this.#path = path;
    this.#handle = handle;
    this.#provenance = provenance;
  }

  /**
   * Opens the manifest at `path`, or begins one. Keeps the lines of earlier runs for which `keep` gives true, and drops
   * those of failed images, which are tried again, and one that was cut short by a kill. Rejects with
   * `failed_precondition` if they list tokens of another model or other options, or if one is damaged.
   */
  static async open(
    path: string,
    provenance: Provenance,
    requireHeld: FolderLock['requireHeld'],
    keep: (line: EncodedLine) => Promise<boolean>,
  ): Promise<Manifest> {
    const temporary = `${path}.part`;
    // A new file, to which a run that has lost the folder cannot write.
    await rm(temporary, { force: true });
    const handle = await open(temporary, 'wx');
    try {
      for await (const { text, number } of linesOf(path)) {
        const line = readLine(text, `${path}, line ${number}`);
        if (!('output' in line)) continue;
        requireSame(line, provenance, path);
        if (await keep(line)) await handle.appendFile(`${text}\n`);
      }
      await requireHeld();
      await rename(temporary, path);
      return new Manifest(path, handle, provenance);
    } catch (error) {
      await handle.close();
      // A run that has taken the folder over has a file of this name.
      await requireHeld().then(
        () => rm(temporary, { force: true }),
        () => undefined,
      );
      throw error;
    }
  }

  /** Adds lines one behind another. Once one has failed, all later ones fail alike, since they would follow half a line. */
  async add(line: EncodedLine | FailedLine): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      try {
        await this.#handle.appendFile(`${JSON.stringify({ ...line, ...this.#provenance })}\n`);
      } catch (error) {
        throw brokenOutput(this.#path, error);
      }
    });
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** The complete lines of a file, counted from 1; none if there is no file. The last is left out if no newline ends it. */
async function* linesOf(path: string): AsyncGenerator<{ readonly text: string; readonly number: number }> {
  const input = createReadStream(path, 'utf8');
  let ending = '';
  input.on('data', (chunk) => (ending = chunk.slice(-1).toString()));
  let number = 0;
  let previous: string | undefined;
  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (previous !== undefined) yield { text: previous, number: (number += 1) };
      previous = text;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (previous !== undefined && ending === '\n') yield { text: previous, number: number + 1 };
}

function readLine(text: string, where: string): (EncodedLine | FailedLine) & Provenance {
  try {
    const line = JSON.parse(text) as Partial<EncodedLine & FailedLine & Provenance> | null;
    const isEncoded =
      typeof line?.output === 'string' &&
      Number.isSafeInteger(line.output_bytes) &&
      Number.isSafeInteger(line.size);
    const isWhole = typeof line?.file === 'string' && typeof line.model?.digest === 'string';
    if (isWhole && (isEncoded || typeof line.error === 'object')) return line as EncodedLine & Provenance;
  } catch {
    // Reported below.
  }
  throw new ServiceError(
    'failed_precondition',
    `${where}, is damaged. Encode into another folder, or delete the line: its image is then encoded again.`,
  );
}

function requireSame(line: Provenance, provenance: Provenance, path: string): void {
  const [there, now] = [wordsOf(line), wordsOf(provenance)];
  const differences = Object.keys({ ...there, ...now }).filter((name) => there[name] !== now[name]);
  if (differences.length === 0) return;
  const texts = differences.map((name) => `${name} ${there[name] ?? 'unset'}, not ${now[name] ?? 'unset'}`);
  throw new ServiceError(
    'failed_precondition',
    `${path} lists tokens of other settings: ${texts.join('; ')}. Encode into another folder.`,
  );
}

/** What a line depends on, as a message names it: settings by their flags. The output is two flags without values. */
function wordsOf(provenance: Provenance): Readonly<Record<string, string | undefined>> {
  const { model, projector, scale_models: scales, recipe, options, format } = provenance;
  const { output, ...valued } = options;
  const flags = Object.entries({ recipe, ...valued, format }).map(([name, value]) => [flagName(name), value]);
  return {
    model: model.digest,
    projector,
    'scale models': scales?.join(),
    output,
    ...(Object.fromEntries(flags) as Readonly<Record<string, string | undefined>>),
  };
}
