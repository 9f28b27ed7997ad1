import { type Dirent, existsSync, type ObjectEncodingOptions, readdir } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join, normalize, resolve, sep } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';
import { FileMap } from './file-map.ts';
import { isFolder, type OnUnreadable, walkFolder } from './walk-folder.ts';

/** An image file, or a tar of image files. */
export interface Input {
  readonly kind: 'file' | 'tar';
  /** Names it in the manifest and in messages. */
  readonly path: string;
  /** The path that its output is named after: below the folder or the fixed part of the pattern that it was found in. */
  readonly relativePath: string;
}

/** Something that was given and cannot be encoded. */
export interface InputFailure {
  readonly file: string;
  readonly problem: string;
}

export interface Inputs {
  /** Each once, in an order that depends on the arguments and on the names of the files alone. */
  readonly found: readonly Input[];
  readonly failures: readonly InputFailure[];
}

/** Extensions that are looked for in folders and tars. Files that are named are tried whatever their name. */
export const imageExtensions = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'];
const imageName = /\.(?:jpe?g|png|webp|gif|tiff?|avif)$/i;
const tarName = /\.tar$/i;
const compressedTarName = /\.(?:tgz|tar\.(?:gz|bz2|xz|zst))$/i;

export function isImageName(path: string): boolean {
  return imageName.test(path);
}

/**
 * Finds the files that operands name: files, tars, folders with all below them, patterns, and with `-` the lines of `stdin`.
 * Leaves out hidden files and everything in `out`. A link to a file is an image of its own. Rejects with `invalid_argument` if
 * there are none: for folders, it names the `extensions` that the caller takes.
 */
export async function findInputs(
  operands: readonly string[],
  stdin: () => Promise<string>,
  out?: string,
  extensions: readonly string[] = [...imageExtensions, '.tar'],
): Promise<Inputs> {
  const found = new FileMap<Input>();
  const failures: InputFailure[] = [];
  let allNamed = true;
  const isInOut = (path: string) =>
    out !== undefined && `${resolve(path)}${sep}`.startsWith(`${resolve(out)}${sep}`);
  let ignored = 0;
  const add = async (path: string, relativePath: string) => {
    const file = normalize(path);
    if (compressedTarName.test(file)) {
      failures.push({ file, problem: 'it is compressed; unpack it.' });
    } else if ((await found.get(file)) === undefined) {
      await found.set(file, { kind: tarName.test(file) ? 'tar' : 'file', path: file, relativePath });
    }
  };
  const addAll = async (folder: string, names: readonly string[]) => {
    const outside = names.filter((name) => !isInOut(join(folder, name)));
    ignored += names.length - outside.length;
    for (const name of outside) await add(join(folder, name), name);
    allNamed &&= outside.length === 0;
    return outside.length;
  };
  const onUnreadable: OnUnreadable = (folder, error) =>
    failures.push({ file: normalize(folder), problem: `${systemReason(error)}.` });
  for (const operand of operands) {
    if (operand === '-') {
      for (const line of listed(await stdin())) await add(line, line);
    } else if (await isFolder(operand)) {
      const names = await walkFolder(operand, onUnreadable);
      await addAll(
        operand,
        names.filter((name) => isImageName(name) || tarName.test(name)),
      );
    } else if (isDynamicPattern(operand) && !existsSync(operand)) {
      const { folder, pattern } = splitPattern(operand);
      const added = await addAll(folder, await matching(folder, pattern, onUnreadable));
      if (added === 0) failures.push({ file: operand, problem: 'no file matches this pattern.' });
    } else {
      await add(operand, basename(operand));
    }
  }
  const inputs = found.values();
  const missing = allNamed ? await allMissing(inputs) : [];
  if (inputs.length > missing.length) return { found: inputs, failures };
  failures.push(...missing);
  if (failures.length > 0) throw noInputs(failures);
  const message = operands.every((operand) => operand === '-')
    ? 'stdin lists no files.'
    : `There are no images in ${operands.join(', ')}: no file ends in ${extensions.slice(0, -1).join(', ')} or ` +
      `${extensions.at(-1)}.${ignored > 0 ? ` Files in ${out} are ignored.` : ''}`;
  throw new ServiceError('invalid_argument', message);
}

/** The failure of a command that can take none of its operands. */
export function noInputs(failures: readonly InputFailure[]): ServiceError {
  const sentences = failures.map(({ file, problem }) => `${file}: ${problem}`);
  return new ServiceError('invalid_argument', sentences.join(' '), { sentences });
}

/** Lines, or strings that end in NUL, as find -print0 writes them. */
function listed(text: string): readonly string[] {
  return text.split(text.includes('\0') ? '\0' : /\r?\n/).filter((line) => line !== '');
}

/** The files below a folder that match a pattern, sorted. */
async function matching(
  folder: string,
  pattern: string,
  onUnreadable: OnUnreadable,
): Promise<readonly string[]> {
  const noting = (
    path: string,
    options: ObjectEncodingOptions & { withFileTypes: true },
    done: (error: NodeJS.ErrnoException | null, entries: Dirent[]) => void,
  ) =>
    readdir(path, options, (error, entries) => {
      // A folder that is not there has no match.
      if (error !== null && error.code !== 'ENOENT') onUnreadable(path, error);
      done(error, entries);
    });
  const names = await glob(pattern, {
    cwd: folder,
    expandDirectories: false,
    fs: { readdir: noting as typeof readdir },
  });
  return names.toSorted();
}

/** Splits a pattern before the first part that has a wildcard. Braces and groups may contain slashes. */
function splitPattern(pattern: string): { readonly folder: string; readonly pattern: string } {
  const parts = pattern.split('/');
  const first = parts.findIndex((part) => isDynamicPattern(part) || /(?<!\\)(?:\{|[?*+@!]\()/.test(part));
  const fixed = parts.slice(0, Math.max(0, first)).join('/').replaceAll(/\\(.)/gs, '$1');
  const folder = fixed === '' ? (first > 0 ? '/' : '.') : fixed;
  return { folder, pattern: parts.slice(Math.max(0, first)).join('/') };
}

/** A failure for each file if all are missing, otherwise none. Looks no further than the first that exists. */
async function allMissing(inputs: readonly Input[]): Promise<readonly InputFailure[]> {
  const missing: InputFailure[] = [];
  for (const { path } of inputs) {
    const error = await stat(path).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === undefined) return [];
    missing.push({ file: path, problem: `${systemReason(error)}.` });
  }
  return missing;
}
