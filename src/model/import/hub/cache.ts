import { mkdir, readFile, rename, rm, stat, statfs, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { RemoteFile } from './client.ts';
import type { RepositoryName } from './repository-name.ts';
import type { CheckpointPart } from '../needed-tensors.ts';

export const configFile = 'config.json';

/** The weights of a part of a commit's tensors. */
export const sliceFile = 'model.safetensors';

/**
 * A repository's folder in the hub's cache, laid out as Python's huggingface_hub does: `blobs/ETAG`, `refs/REVISION`
 * with a commit in it, `snapshots/COMMIT/FILE`, a link to a blob, and `.no_exist/COMMIT/FILE`, an empty file, for one
 * that the commit lacks. Every file is complete when it appears. `tensors/` is ours alone, and Python's scan does not look there.
 */
export class RepositoryCache {
  readonly #folder: string;

  constructor(cacheFolder: string, repository: RepositoryName) {
    this.#folder = join(cacheFolder, `models--${repository.replace('/', '--')}`);
  }

  get blobs(): string {
    return join(this.#folder, 'blobs');
  }

  /** Where a commit's tensors are put together that are only a part of its files. */
  get slices(): string {
    return join(this.#folder, 'tensors');
  }

  /** Folder of a part of a commit's tensors, with a copy of its configuration. It appears complete. */
  slice(commit: string, part: CheckpointPart): string {
    return join(this.slices, commit, part);
  }

  /** Folder of a commit's files. */
  snapshot(commit: string): string {
    return join(this.#folder, 'snapshots', commit);
  }

  /** The commit that a branch or tag was when the hub was last asked. */
  async readRef(revision: string): Promise<string | undefined> {
    const text = await readFile(join(this.#folder, 'refs', revision), 'utf8').catch(() => '');
    return /^[0-9a-f]{40}$/.test(text.trim()) ? text.trim() : undefined;
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    if (revision === commit || (await this.readRef(revision)) === commit) return;
    const path = join(this.#folder, 'refs', revision);
    await replace(path, (temporary) => writeFile(temporary, commit));
  }

  /** Whether a commit's file is there. */
  async has(commit: string, name: string): Promise<boolean> {
    return (await sizeOf(join(this.snapshot(commit), name))) !== undefined;
  }

  async isKnownMissing(commit: string, name: string): Promise<boolean> {
    return (await sizeOf(this.#missing(commit, name))) !== undefined;
  }

  async markMissing(commit: string, name: string): Promise<void> {
    await replace(this.#missing(commit, name), (temporary) => writeFile(temporary, ''));
  }

  async hasBlob({ etag, sizeBytes }: RemoteFile): Promise<boolean> {
    return (await sizeOf(join(this.blobs, etag))) === sizeBytes;
  }

  /** Makes a blob a commit's file. Where the file system has no links the blob itself moves, as in Python. */
  async link(commit: string, { name, etag }: RemoteFile): Promise<void> {
    const path = join(this.snapshot(commit), name);
    const blob = join(this.blobs, etag);
    try {
      await replace(path, (temporary) => symlink(relative(dirname(path), blob), temporary));
    } catch (error) {
      if (!['EPERM', 'ENOSYS', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      await rename(blob, path);
    }
  }

  /** Free space for blobs, whose folder it makes; undefined where the file system does not say. */
  async freeBytes(): Promise<number | undefined> {
    await mkdir(this.blobs, { recursive: true });
    const { blocks, bavail, bsize } = await statfs(this.blobs);
    return blocks === 0 ? undefined : bavail * bsize;
  }

  #missing(commit: string, name: string): string {
    return join(this.#folder, '.no_exist', commit, name);
  }
}

/** Makes a file that appears complete, in place of one that may be there. */
export async function replace(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await make(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
}
