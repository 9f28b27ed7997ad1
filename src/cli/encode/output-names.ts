import { createHash } from 'node:crypto';

/** Bytes of a name's part; a file system takes 255 with the extension and what is added while it is written. */
const longestPartBytes = 180;

export interface OutputNamesOptions {
  /** What is added to a name for each file that an image's tokens take. */
  readonly extensions: readonly string[];
  /** Paths that are taken. */
  readonly files?: readonly string[];
  /** Whether the last part of a name has no dots: webdataset cuts its keys at the first one. */
  readonly dotless?: boolean;
}

/**
 * Names outputs after their inputs: a/b.jpg becomes a/b. A name is a relative path that stays where it is put, whatever a
 * tar calls its members. Where two inputs would get one name, the second keeps its extension, b-png, and if that is
 * taken as well it gets 8 digits of the hash of its path. A folder whose name is taken by a file gets 8 digits as well.
 * Names that differ by case alone count as one, because some file systems do not tell them apart.
 */
export class OutputNames {
  readonly #files: Set<string>;
  readonly #folders = new Set<string>();
  readonly #options: OutputNamesOptions;

  constructor(options: OutputNamesOptions) {
    this.#options = options;
    this.#files = new Set(options.files);
  }

  /** Takes a name that an earlier run has given. */
  reserve(name: string): void {
    const parts = name.toLowerCase().split('/');
    for (const extension of this.#options.extensions) this.#files.add(parts.join('/') + extension);
    for (let depth = 1; depth < parts.length; depth += 1) this.#folders.add(parts.slice(0, depth).join('/'));
  }

  /** A new name for the input `file`, after its relative path. */
  claim(file: string, relativePath: string): string {
    const parts = relativePath.split(/[/\\]+/).filter((part) => !['', '.', '..'].includes(part));
    const last = parts.pop() ?? 'image';
    const dot = last.lastIndexOf('.');
    const stem = dot > 0 ? last.slice(0, dot) : last;
    const extension = dot > 0 ? withoutControls(last.slice(dot + 1, dot + 17)) : '';
    const hash = hashOf(file);
    const folder = this.#folderFor(parts, hash);
    const endings = ['', ...(extension === '' ? [] : [`-${extension}`]), `-${hash.slice(0, 8)}`, `-${hash}`];
    for (const ending of endings) {
      const whole = safePart(stem, hash, ending);
      const name = folder + (this.#options.dotless === true ? whole.replaceAll('.', '_') : whole);
      if (this.#isTaken(name)) continue;
      this.reserve(name);
      return name;
    }
    throw new Error(`${file} has been named already.`);
  }

  /** The folder for files below these parts, with a slash at its end: none of its parts is a file. */
  #folderFor(parts: readonly string[], hash: string): string {
    let folder = '';
    for (const [index, part] of parts.entries()) {
      const ownHash = hashOf(parts.slice(0, index + 1).join('/'));
      const endings = ['', `-${ownHash.slice(0, 8)}`, `-${ownHash}`];
      const name = endings
        .map((ending) => folder + safePart(part, hash, ending))
        .find((each) => !this.#files.has(each.toLowerCase()));
      if (name === undefined) throw new Error(`${folder}${part} has been named already.`);
      folder = `${name}/`;
    }
    return folder;
  }

  #isTaken(name: string): boolean {
    return this.#options.extensions.some((extension) => {
      const output = name.toLowerCase() + extension;
      return this.#files.has(output) || this.#folders.has(output);
    });
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A part of a path without control characters, cut where a file system would refuse it. */
function safePart(part: string, hash: string, ending = ''): string {
  const clean = withoutControls(part);
  if (Buffer.byteLength(clean) <= longestPartBytes) return clean + ending;
  const cut = Buffer.from(clean)
    .subarray(0, longestPartBytes - 9)
    .toString()
    .replaceAll('\ufffd', '');
  return `${cut}-${hash.slice(0, 8)}${ending}`;
}

function withoutControls(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '_');
}
