import { createHash, type Hash } from 'node:crypto';
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

const chunkBytes = 1 << 20;
/** A download that is alive writes far more often. */
const abandonedAfterMs = 10 * 60_000;
const host = hostname().replace(/\W/g, '_');
let claims = 0;

/**
 * The part of a blob that has arrived, in `ETAG.OWNER.incomplete` beside the blobs. It belongs to one download at a
 * time, which takes over the part of an earlier one by renaming it: only one can. Python's `ETAG.incomplete` is left
 * alone, because Python's lock on it cannot be seen here.
 */
export class PartialBlob {
  readonly #blobs: string;
  readonly #etag: string;
  readonly #path: string;
  readonly #file: FileHandle;
  #hash: Hash;
  #sizeBytes = 0;

  private constructor(blobs: string, etag: string, path: string, file: FileHandle) {
    this.#blobs = blobs;
    this.#etag = etag;
    this.#path = path;
    this.#file = file;
    this.#hash = createHash('sha256');
  }

  /**
   * Has `fill` fill the longest abandoned part, or a new one, and then makes it the file `path`, whose bytes are on the disk
   * before it has the name. If `fill` rejects or the signal fires, the part is left to the next download of the blob.
   */
  static async complete(
    blobs: string,
    etag: string,
    path: string,
    signal: AbortSignal,
    fill: (part: PartialBlob) => Promise<void>,
  ): Promise<void> {
    const part = await PartialBlob.#claim(blobs, etag);
    try {
      await fill(part);
      signal.throwIfAborted();
      await part.#finish(path);
    } catch (error) {
      await part.#release();
      throw error;
    }
  }

  static async #claim(blobs: string, etag: string): Promise<PartialBlob> {
    claims += 1;
    const path = join(blobs, `${etag}.${host}-${process.pid}-${claims}.incomplete`);
    for (const left of await findAbandoned(blobs, etag)) {
      const taken = await rename(left.path, path).then(
        () => true,
        () => false,
      );
      if (taken) break;
    }
    const part = new PartialBlob(blobs, etag, path, await open(path, 'a+'));
    await part.#readBack();
    return part;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#file.appendFile(bytes);
    this.#hash.update(bytes);
    this.#sizeBytes += bytes.byteLength;
  }

  async clear(): Promise<void> {
    await this.#file.truncate(0);
    this.#hash = createHash('sha256');
    this.#sizeBytes = 0;
  }

  /** SHA-256 of the part, as 64 hex digits. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  async #finish(path: string): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
    await rename(this.#path, path);
    for (const left of await findAbandoned(this.#blobs, this.#etag)) await rm(left.path, { force: true });
  }

  async #release(): Promise<void> {
    await this.#file.close();
    if (this.#sizeBytes === 0) await rm(this.#path, { force: true });
    else await rename(this.#path, join(this.#blobs, `${this.#etag}.free.incomplete`));
  }

  async #readBack(): Promise<void> {
    const chunk = new Uint8Array(chunkBytes);
    for (;;) {
      const { bytesRead } = await this.#file.read(chunk, 0, chunkBytes, this.#sizeBytes);
      if (bytesRead === 0) return;
      this.#hash.update(chunk.subarray(0, bytesRead));
      this.#sizeBytes += bytesRead;
    }
  }
}

/** Bytes of a blob that an earlier download has left behind. */
export async function leftBytes(blobs: string, etag: string): Promise<number> {
  const [longest] = await findAbandoned(blobs, etag);
  return longest?.sizeBytes ?? 0;
}

interface Left {
  readonly path: string;
  readonly sizeBytes: number;
}

/** Parts of a blob that no download works on, the longest first. */
async function findAbandoned(blobs: string, etag: string): Promise<Left[]> {
  const nowMs = Date.now();
  const found: Left[] = [];
  for (const name of await readdir(blobs)) {
    if (!name.startsWith(`${etag}.`) || !name.endsWith('.incomplete')) continue;
    const owner = name.slice(etag.length + 1, -'.incomplete'.length);
    const path = join(blobs, name);
    const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: nowMs }));
    if (isGone(owner) || (owner.includes('-') && nowMs - mtimeMs > abandonedAfterMs))
      found.push({ path, sizeBytes: size });
  }
  return found.sort((a, b) => b.sizeBytes - a.sizeBytes);
}

/** Whether a part was released, or its process on this machine has ended. */
function isGone(owner: string): boolean {
  if (owner === 'free') return true;
  const [, where, pid] = /^(\w+)-(\d+)-\d+$/.exec(owner) ?? [];
  if (where !== host) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
