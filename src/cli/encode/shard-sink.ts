import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pack } from 'tar-stream';
import { ServiceError } from '../../errors/service-error.ts';
import { brokenOutput } from './broken-output.ts';
import type { FolderLock } from './folder-lock.ts';
import type { EncodedImage, TokenSink, WrittenTokens } from './token-sink.ts';
import { writeParts } from './write-parts.ts';

/** What ends a tar. */
const end = Buffer.alloc(1024);
const shardName = /^(\d{6,})\.tar(\.part)?$/;

interface FoundShard {
  readonly sizeBytes: number;
  /** Where its recorded images end, as far as they are known. */
  endBytes: number;
  /** Whether it is not complete yet. */
  readonly isPart: boolean;
}

interface OpenShard {
  readonly name: string;
  readonly handle: FileHandle;
  sizeBytes: number;
}

/**
 * Writes tar shards in webdataset's layout: 000000.tar, 000001.tar and so on, each with KEY.npy and KEY.json for every image.
 * A shard is called 000000.tar.part until it is complete. Images are recorded in the order of the shard, so that one that
 * was left by a kill is whole up to the last recorded image: a later run cuts it there and goes on.
 */
export class ShardSink implements TokenSink {
  readonly #folder: string;
  readonly #shardBytes: number;
  readonly #requireHeld: FolderLock['requireHeld'];
  /** Sizes of the shards in the folder, complete or not, when the sink was opened. */
  readonly #found: ReadonlyMap<string, FoundShard>;
  #next = 0;
  #shard: OpenShard | undefined;
  #broken: ServiceError | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(
    folder: string,
    shardBytes: number,
    requireHeld: FolderLock['requireHeld'],
    found: ReadonlyMap<string, FoundShard>,
  ) {
    this.#folder = folder;
    this.#shardBytes = shardBytes;
    this.#requireHeld = requireHeld;
    this.#found = found;
  }

  static async open(
    folder: string,
    shardBytes: number,
    requireHeld: FolderLock['requireHeld'],
  ): Promise<ShardSink> {
    const found = new Map<string, FoundShard>();
    for (const file of (await readdir(folder)).toSorted()) {
      const [, number, part] = shardName.exec(file) ?? [];
      if (number === undefined) continue;
      const { size: sizeBytes } = await stat(join(folder, file));
      found.set(`${number}.tar`, { sizeBytes, endBytes: 0, isPart: part !== undefined });
    }
    return new ShardSink(folder, shardBytes, requireHeld, found);
  }

  /** Whether an image that was recorded is in its shard. To be asked for every line of the manifest before `recover`. */
  holds({ output, output_bytes: endBytes }: WrittenTokens): boolean {
    const found = this.#found.get(output);
    if (found === undefined || endBytes > found.sizeBytes) return false;
    found.endBytes = Math.max(endBytes, found.endBytes);
    return true;
  }

  /**
   * Cuts shards behind their last recorded image, completes those that were complete, and goes on with the one that was
   * not. Rejects with `failed_precondition` for a shard without a recorded image.
   */
  async recover(): Promise<void> {
    for (const [name, { sizeBytes, endBytes, isPart }] of this.#found) {
      this.#next = Math.max(this.#next, Number.parseInt(name, 10) + 1);
      if (isPart) {
        await this.#complete();
        const handle = await open(join(this.#folder, `${name}.part`), 'r+');
        this.#shard = { name, handle, sizeBytes: endBytes };
        await handle.truncate(endBytes);
      } else if (endBytes === 0) {
        throw new ServiceError(
          'failed_precondition',
          `${join(this.#folder, name)} has no image that the manifest lists. Encode into another folder, or delete this file.`,
        );
      } else if (sizeBytes !== endBytes + end.byteLength) {
        const handle = await open(join(this.#folder, name), 'r+');
        await handle.truncate(endBytes);
        await writeParts(handle, [end], endBytes);
        await handle.close();
      }
    }
  }

  async put(
    { file, name }: { readonly file: string; readonly name: string },
    encoded: EncodedImage,
    record: (written: WrittenTokens) => Promise<void>,
  ): Promise<void> {
    const { buffers, metadata } = encoded;
    const fields: unknown = JSON.parse(metadata);
    const members = await packed([
      { name: `${name}.npy`, bytes: Buffer.concat([...buffers]) },
      { name: `${name}.json`, bytes: Buffer.from(JSON.stringify({ file, ...(fields as object) })) },
    ]);
    const written = this.#writing.then(async () => {
      if (this.#broken !== undefined) throw this.#broken;
      try {
        await this.#requireHeld();
        await record({ ...(await this.#append(members)), key: name });
      } catch (error) {
        // What follows would not be whole up to its last recorded image.
        this.#broken = brokenOutput(this.#folder, error);
        throw this.#broken;
      }
    });
    this.#writing = written.catch(() => undefined);
    await written;
  }

  async finish(): Promise<void> {
    await this.#requireHeld();
    await this.#complete();
  }

  async abandon(): Promise<void> {
    await this.#writing;
    await this.#shard?.handle.close();
    this.#shard = undefined;
  }

  async #append(members: readonly Uint8Array[]): Promise<WrittenTokens> {
    if (this.#shard !== undefined && this.#shard.sizeBytes >= this.#shardBytes) await this.#complete();
    const shard = (this.#shard ??= await this.#begin());
    await writeParts(shard.handle, members, shard.sizeBytes);
    for (const { byteLength } of members) shard.sizeBytes += byteLength;
    return { output: shard.name, output_bytes: shard.sizeBytes };
  }

  async #begin(): Promise<OpenShard> {
    const name = `${String(this.#next).padStart(6, '0')}.tar`;
    this.#next += 1;
    return { name, handle: await open(join(this.#folder, `${name}.part`), 'wx'), sizeBytes: 0 };
  }

  /** Ends the open shard, if there is one, and gives it its name. */
  async #complete(): Promise<void> {
    if (this.#shard === undefined) return;
    const { name, handle, sizeBytes } = this.#shard;
    this.#shard = undefined;
    const part = join(this.#folder, `${name}.part`);
    if (sizeBytes > 0) {
      await writeParts(handle, [end], sizeBytes);
      await handle.datasync();
    }
    await handle.close();
    if (sizeBytes > 0) await rename(part, join(this.#folder, name));
    else await rm(part);
  }
}

/** The files as members of a tar, headers and padding included, without what ends a tar. */
async function packed(
  files: readonly { readonly name: string; readonly bytes: Buffer }[],
): Promise<readonly Uint8Array[]> {
  const archive = pack();
  // The same tokens make the same shard.
  for (const { name, bytes } of files) archive.entry({ name, mtime: new Date(0) }, bytes);
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk);
  const last = chunks.pop();
  if (last?.byteLength !== end.byteLength) throw new Error('a tar that does not end as expected');
  return chunks;
}
