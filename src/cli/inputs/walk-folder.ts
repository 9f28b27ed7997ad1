import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Called for each folder that cannot be read. */
export type OnUnreadable = (folder: string, error: unknown) => void;

/**
 * The paths of all files below `root`, relative to it and sorted. Hidden files and folders are left out. Links to folders are
 * followed, but each folder is visited once, by a path without links if there is one.
 */
export async function walkFolder(root: string, onUnreadable: OnUnreadable): Promise<readonly string[]> {
  const files: string[] = [];
  const visited = new Set<string>();
  // Both lists grow while they are read. Links come last.
  const links = [''];
  for (const link of links) {
    const folders = [link];
    for (const folder of folders) {
      for (const entry of await newEntries(join(root, folder), visited, onUnreadable)) {
        if (entry.name.startsWith('.')) continue;
        const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory()) folders.push(path);
        else if (entry.isFile()) files.push(path);
        else if (entry.isSymbolicLink()) ((await isFolder(join(root, path))) ? links : files).push(path);
      }
    }
  }
  return files.toSorted();
}

/** The entries of a folder, sorted; none if it was visited before or cannot be read. */
async function newEntries(folder: string, visited: Set<string>, onUnreadable: OnUnreadable) {
  try {
    const real = await realpath(folder);
    if (visited.has(real)) return [];
    visited.add(real);
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    onUnreadable(folder, error);
    return [];
  }
}

/** Whether a path is a folder or a link to one. */
export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
