import { ServiceError } from '../../../errors/service-error.ts';
import type { RepositoryCache } from './cache.ts';
import type { HubClient, RemoteFile } from './client.ts';
import { downloadBlob } from './download.ts';
import { leftBytes } from './partial-blob.ts';
import { retried, type Wait } from './retry.ts';

export interface FilesOptions {
  readonly cache: RepositoryCache;
  readonly client: HubClient;
  readonly commit: string;
  /** Called with the bytes that are there and that are to be; not when nothing is downloaded. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  readonly wait: Wait;
  readonly signal: AbortSignal;
}

/** Brings a commit's files into the cache, but for those that are there. Rejects as downloadBlob does. */
export async function fetchFiles(names: readonly string[], options: FilesOptions): Promise<void> {
  const { cache, client, commit, onProgress, wait, signal } = options;
  const wanted: RemoteFile[] = [];
  for (const name of names) {
    if (await cache.has(commit, name)) continue;
    const file = await retried(() => client.describe(commit, name), wait, signal);
    if (await cache.hasBlob(file)) await cache.link(commit, file);
    else wanted.push(file);
  }
  if (wanted.length === 0) return;
  const totalBytes = wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  await requireRoom(cache, wanted);
  let doneBytes = 0;
  for (const file of wanted) {
    const startBytes = doneBytes;
    const onBytes = (bytes: number) => onProgress?.(startBytes + bytes, totalBytes);
    await downloadBlob(file, { cache, client, commit, wait, signal, onProgress: onBytes });
    await cache.link(commit, file);
    doneBytes += file.sizeBytes;
  }
}

/** Minutes of downloading are not to end in a full disk. What an earlier try left is gone on with. */
async function requireRoom(cache: RepositoryCache, wanted: readonly RemoteFile[]): Promise<void> {
  const freeBytes = await cache.freeBytes();
  if (freeBytes === undefined) return;
  const toCome = wanted.map(
    async (file) => file.sizeBytes - (await leftBytes(cache.blobs, file.etag, Date.now())),
  );
  const neededBytes = (await Promise.all(toCome)).reduce((sum, bytes) => sum + Math.max(0, bytes), 0);
  if (neededBytes <= freeBytes) return;
  const [needed, free] = [neededBytes, freeBytes].map((bytes) => Math.ceil(bytes / 2 ** 20));
  const message = `${cache.blobs} has ${free} MiB free and the download needs ${needed} MiB; HF_HUB_CACHE names another folder.`;
  throw new ServiceError('invalid_argument', message);
}
