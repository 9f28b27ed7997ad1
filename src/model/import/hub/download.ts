import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { invalidArgument } from '../../../errors/invalid-argument.ts';
import { ServiceError } from '../../../errors/service-error.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import type { RepositoryCache } from './cache.ts';
import type { HubClient, RemoteFile } from './client.ts';
import { PartialBlob } from './partial-blob.ts';
import { retried, type Wait } from './retry.ts';

/** What downloads of a commit share. */
export interface CommitOptions {
  readonly client: HubClient;
  readonly cache: RepositoryCache;
  readonly commit: string;
  readonly wait: Wait;
  readonly signal: AbortSignal;
}

export interface DownloadOptions extends CommitOptions {
  /** Called with the bytes of the file that have arrived. */
  readonly onProgress: (doneBytes: number) => void;
}

/**
 * Downloads a file into the cache's blobs, from where an earlier download stopped, over as many connections as it
 * takes. Checks its size, and its SHA-256 where the etag is one; a damaged file is deleted and refused with
 * `invalid_argument`. After `unavailable`, a full disk or an abort the next download continues from what has arrived.
 */
export async function downloadBlob(file: RemoteFile, options: DownloadOptions): Promise<void> {
  const { cache, wait, signal } = options;
  await PartialBlob.complete(cache.blobs, file.etag, join(cache.blobs, file.etag), signal, async (part) => {
    const keptBytes = part.sizeBytes;
    const fillPart = () =>
      retried(
        () => fill(part, file, options),
        wait,
        signal,
        () => part.sizeBytes,
      );
    await fillPart();
    if (fault(part, file) !== undefined && keptBytes > 0) {
      // The damage may be in the part of an earlier download.
      await part.clear();
      await fillPart();
    }
    const wrong = fault(part, file);
    if (wrong === undefined) return;
    await part.clear();
    throw invalidArgument(`${file.name} arrived damaged: ${wrong}.`);
  });
}

/** Reads one connection; `unavailable` when it ends before the file does. */
async function fill(
  part: PartialBlob,
  { name, sizeBytes }: RemoteFile,
  options: DownloadOptions,
): Promise<void> {
  const { client, commit } = options;
  if (part.sizeBytes >= sizeBytes) return;
  const { offsetBytes, body } = await client.open(commit, name, part.sizeBytes);
  if (offsetBytes !== part.sizeBytes) await part.clear();
  await appendBody(part, body, { name, sizeBytes }, options);
}

/**
 * Appends an answer to the part until it has `sizeBytes` or, where the answer is longer, a chunk more. Rejects with
 * `unavailable` when the answer ends before.
 */
export async function appendBody(
  part: PartialBlob,
  body: IncomingMessage,
  { name, sizeBytes }: Pick<RemoteFile, 'name' | 'sizeBytes'>,
  options: Pick<DownloadOptions, 'onProgress' | 'signal'>,
): Promise<void> {
  const { onProgress } = options;
  onProgress(part.sizeBytes);
  const chunks: AsyncIterator<Buffer> = body[Symbol.asyncIterator]();
  for (;;) {
    const chunk = await chunks.next().catch((error: unknown) => dropped(name, error, options));
    if (chunk.done === true) break;
    await part.append(chunk.value);
    onProgress(Math.min(part.sizeBytes, sizeBytes));
    if (part.sizeBytes > sizeBytes) {
      body.destroy();
      return;
    }
  }
  if (part.sizeBytes < sizeBytes) dropped(name, new Error('the connection ended'), options);
}

function dropped(name: string, error: unknown, { signal }: Pick<DownloadOptions, 'signal'>): never {
  if (signal.aborted) throw new ServiceError('cancelled', 'The import was cancelled.', { cause: error });
  const message = `${name} stopped arriving: ${systemReason(error)}; the next import continues from there.`;
  throw new ServiceError('unavailable', message, { cause: error });
}

function fault(part: PartialBlob, { etag, sizeBytes }: RemoteFile): string | undefined {
  if (part.sizeBytes !== sizeBytes) return `it has more than its ${sizeBytes} bytes`;
  if (!/^[0-9a-f]{64}$/.test(etag) || part.digest() === etag) return undefined;
  return `its SHA-256 is ${part.digest()}, not ${etag}`;
}
