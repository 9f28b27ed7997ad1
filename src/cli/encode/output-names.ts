import { createHash } from 'node:crypto';

/** Bytes of a name's part; a file system takes 255 with the extension and what is added while it is written. */
const longestPartBytes = 180;

/**
 * Names outputs after their inputs: a/b.jpg becomes a/b. A name is a relative path that stays where it is put, whatever a
 * tar calls its members. Where two inputs would get one name, the second keeps its extension, b-png, and if that is
 * taken as well it gets 8 digits of the hash of its path. Names that differ by case alone count as one, because some file
 * systems do not tell them apart.
 */
export class OutputNames {
  readonly #taken = new Set<string>();
  readonly #isDotless: boolean;

  /** With `dotless`, names have no dots in their last part: webdataset cuts its keys at the first one. */
  constructor({ dotless }: { readonly dotless: boolean }) {
    this.#isDotless = dotless;
  }

  /** Takes a name that an earlier run has given. */
  reserve(name: string): void {
    this.#taken.add(name.toLowerCase());
  }

  /** A new name for the input `file`, after the path `below`. */
  claim(file: string, below: string): string {
    const parts = below.split(/[/\\]+/).filter((part) => !['', '.', '..'].includes(part));
    const last = parts.pop() ?? 'image';
    const dot = last.lastIndexOf('.');
    const stem = dot > 0 ? last.slice(0, dot) : last;
    const extension = dot > 0 ? withoutControls(last.slice(dot + 1, dot + 17)) : '';
    const hash = createHash('sha256').update(file).digest('hex');
    const folders = parts.map((part) => safePart(part, hash));
    const endings = ['', ...(extension === '' ? [] : [`-${extension}`]), `-${hash.slice(0, 8)}`, `-${hash}`];
    for (const ending of endings) {
      const whole = safePart(stem, hash, ending);
      const name = [...folders, this.#isDotless ? whole.replaceAll('.', '_') : whole].join('/');
      if (this.#taken.has(name.toLowerCase())) continue;
      this.reserve(name);
      return name;
    }
    throw new Error(`${file} has been named already.`);
  }
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
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f]/g, '_');
}
