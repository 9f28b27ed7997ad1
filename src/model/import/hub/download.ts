import { ServiceError } from '../../../errors/service-error.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import type { RepositoryCache } from './cache.ts';
import type { HubClient, RemoteFile } from './client.ts';
import { PartialBlob } from './partial-blob.ts';
import { retried, type Wait } from './retry.ts';

export interface DownloadOptions {
  readonly client: HubClient;
  readonly cache: RepositoryCache;
  readonly commit: string;
  /** Called with the bytes of the file that are there. */
  readonly onProgress: (doneBytes: number) => void;
  readonly wait: Wait;
  readonly signal: AbortSignal;
}

/** How long a connection may give nothing before it counts as dropped. */
const stallMs = 60_000;

/**
 * Brings a file's blob into the cache, from where an earlier download stopped, over as many connections as it takes.
 * Its size is checked, and its SHA-256 where the etag is one; what is wrong is thrown away, and refused with
 * `invalid_argument`. After `unavailable`, a full disk or an abort what has arrived is kept for the next time.
 */
export async function downloadBlob(file: RemoteFile, options: DownloadOptions): Promise<void> {
  const { cache, signal } = options;
  const part = await PartialBlob.claim(cache.blobs, file.etag, Date.now());
  let finished = false;
  try {
    const keptBytes = part.sizeBytes;
    await fillWithRetries(part, file, options);
    if (fault(part, file) !== undefined && keptBytes > 0) {
      // What was kept may be what is wrong.
      await part.clear();
      await fillWithRetries(part, file, options);
    }
    const wrong = fault(part, file);
    if (wrong !== undefined) {
      await part.clear();
      throw new ServiceError('invalid_argument', `${file.name} arrived damaged: ${wrong}.`);
    }
    signal.throwIfAborted();
    await part.finish(Date.now());
    finished = true;
  } finally {
    if (!finished) await part.release();
  }
}

/** Fills the part over as many connections as it takes; what arrives starts the waits between them anew. */
async function fillWithRetries(part: PartialBlob, file: RemoteFile, options: DownloadOptions): Promise<void> {
  let seenBytes = part.sizeBytes;
  const progressed = () => {
    const more = part.sizeBytes > seenBytes;
    seenBytes = part.sizeBytes;
    return more;
  };
  if (part.sizeBytes >= file.sizeBytes) return;
  await retried(() => fill(part, file, options), options.wait, options.signal, progressed);
}

/** One connection's worth; `unavailable` when it ends before the file does. */
async function fill(
  part: PartialBlob,
  { name, sizeBytes }: RemoteFile,
  options: DownloadOptions,
): Promise<void> {
  const { client, commit, onProgress, signal } = options;
  const stalled = new AbortController();
  const stall = setTimeout(() => stalled.abort(new Error('nothing arrives')), stallMs);
  try {
    const either = AbortSignal.any([signal, stalled.signal]);
    const { offsetBytes, body } = await client.open(commit, name, part.sizeBytes, either);
    if (offsetBytes !== part.sizeBytes) await part.clear();
    onProgress(part.sizeBytes);
    const reader = body.getReader();
    for (;;) {
      const chunk = await reader.read().catch((error: unknown) => dropped(name, error, options));
      if (chunk.done) break;
      stall.refresh();
      await part.append(chunk.value);
      onProgress(Math.min(part.sizeBytes, sizeBytes));
      if (part.sizeBytes > sizeBytes) {
        await reader.cancel();
        return;
      }
    }
  } finally {
    clearTimeout(stall);
  }
  if (part.sizeBytes < sizeBytes) dropped(name, new Error('the connection ended'), options);
}

function dropped(name: string, error: unknown, { signal }: DownloadOptions): never {
  if (signal.aborted) throw new ServiceError('cancelled', 'The import was cancelled.', { cause: error });
  const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const message = `${name} stopped arriving: ${systemReason(reason)}; what has arrived is kept for the next try.`;
  throw new ServiceError('unavailable', message, { cause: error });
}

function fault(part: PartialBlob, { etag, sizeBytes }: RemoteFile): string | undefined {
  if (part.sizeBytes !== sizeBytes) return `it has more than its ${sizeBytes} bytes`;
  if (!/^[0-9a-f]{64}$/.test(etag) || part.digest() === etag) return undefined;
  return `its SHA-256 is ${part.digest()}, not ${etag}`;
}
