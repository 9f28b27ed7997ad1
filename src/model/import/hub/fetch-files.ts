import { invalidArgument } from '../../../errors/invalid-argument.ts';
import type { RepositoryCache } from './cache.ts';
import type { RemoteFile } from './client.ts';
import { type CommitOptions, downloadBlob } from './download.ts';
import { leftBytes } from './partial-blob.ts';
import { retried } from './retry.ts';

export interface FilesOptions extends CommitOptions {
  /** Called with the bytes that have arrived and their total; not when nothing is downloaded. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** Downloads those of a commit's files that the cache lacks. Rejects as downloadBlob does. */
export async function fetchFiles(names: readonly string[], options: FilesOptions): Promise<void> {
  const { cache, client, commit, onProgress, wait, signal } = options;
  const remote: RemoteFile[] = [];
  for (const name of names) {
    if (await cache.has(commit, name)) continue;
    const file = await retried(() => client.describe(commit, name), wait, signal);
    if (await cache.hasBlob(file)) await cache.link(commit, file);
    else remote.push(file);
  }
  if (remote.length === 0) return;
  const totalBytes = remote.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  await requireSpace(cache, remote, cache.blobs);
  let doneBytes = 0;
  for (const file of remote) {
    const startBytes = doneBytes;
    const onBytes = (bytes: number) => onProgress?.(startBytes + bytes, totalBytes);
    await downloadBlob(file, { ...options, onProgress: onBytes });
    await cache.link(commit, file);
    doneBytes += file.sizeBytes;
  }
}

/** Refuses before minutes of downloading end in a full disk. Parts in `folder` of earlier downloads count as arrived. */
export async function requireSpace(
  cache: RepositoryCache,
  files: readonly Pick<RemoteFile, 'etag' | 'sizeBytes'>[],
  folder: string,
): Promise<void> {
  const freeBytes = await cache.freeBytes();
  if (freeBytes === undefined) return;
  const missing = files.map(async (file) => file.sizeBytes - (await leftBytes(folder, file.etag)));
  const neededBytes = (await Promise.all(missing)).reduce((sum, bytes) => sum + Math.max(0, bytes), 0);
  if (neededBytes <= freeBytes) return;
  const [needed, free] = [neededBytes, freeBytes].map((bytes) => Math.ceil(bytes / 2 ** 20));
  const message = `${cache.blobs} has ${free} MiB free and the download needs ${needed} MiB; set HF_HUB_CACHE to a folder on another disk.`;
  throw invalidArgument(message);
}
