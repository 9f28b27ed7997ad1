import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidArgument } from '../../../errors/invalid-argument.ts';
import { ServiceError } from '../../../errors/service-error.ts';
import { JsonObject } from '../../json-object.ts';
import { type CheckpointPart, neededTensors } from '../needed-tensors.ts';
import { isIndex, readWeightMap } from '../weight-map.ts';
import { configFile, sliceFile } from './cache.ts';
import { describeSlice } from './cached-slice.ts';
import { appendBody } from './download.ts';
import { type FilesOptions, requireSpace } from './fetch-files.ts';
import { PartialBlob } from './partial-blob.ts';
import { retried } from './retry.ts';
import { readShard, type Shard, type Slice, sliceOf } from './slice.ts';

export interface SliceOptions extends FilesOptions {
  readonly repository: string;
  readonly part: CheckpointPart;
  /** The file of weights, or the index of its shards, which is in the snapshot already. */
  readonly weights: string;
  /** Files to copy beside the tensors. */
  readonly beside: readonly string[];
}

/**
 * Downloads those tensors of a commit's safetensors files that an import of `part` reads, as byte ranges, into a folder
 * of their own in the cache. Undefined where the server gives no parts of files. Rejects as fetchFiles does. There is no
 * digest of a part of a file: only sizes are checked.
 */
export async function fetchSlice(options: SliceOptions): Promise<string | undefined> {
  const { cache, commit, part, beside } = options;
  const plan = await planSlice(options);
  if (plan === undefined) return undefined;
  const { slice, names } = plan;
  await mkdir(cache.slices, { recursive: true });
  await requireSpace(cache, [slice], cache.slices);
  const folder = cache.slice(commit, part);
  await describeSlice(cache, commit, part, { beside, names });
  await downloadSlice(slice, join(folder, sliceFile), options);
  return folder;
}

interface SlicePlan {
  readonly slice: Slice;
  /** Names of all the checkpoint's tensors. */
  readonly names: readonly string[];
}

async function planSlice(options: SliceOptions): Promise<SlicePlan | undefined> {
  const { cache, client, commit, repository, part, weights, wait, signal } = options;
  const snapshot = cache.snapshot(commit);
  const config = await JsonObject.find(join(snapshot, configFile));
  const read = async (name: string): Promise<Shard | undefined> => {
    const file = await retried(() => client.describe(commit, name), wait, signal);
    return retried(() => readShard(file, client, commit), wait, signal);
  };
  const needed = (names: readonly string[]) => neededTensors(names, config, part, repository);
  if (!isIndex(weights)) {
    const shard = await read(weights);
    if (shard === undefined) return undefined;
    const names = [...shard.tensors.keys()];
    return { slice: sliceOf([shard], new Set(needed(names))), names };
  }
  const files = await readWeightMap(join(snapshot, weights), `${weights} is missing.`);
  const names = [...files.keys()];
  const wanted = needed(names);
  const shards: Shard[] = [];
  for (const name of new Set(wanted.map((tensor) => files.get(tensor)!))) {
    const shard = await read(name);
    if (shard === undefined) return undefined;
    // Another shard may have a tensor of the same name; the index says which one counts.
    const own = [...shard.tensors].filter(([tensor]) => files.get(tensor) === name);
    shards.push({ ...shard, tensors: new Map(own) });
  }
  return { slice: sliceOf(shards, new Set(wanted)), names };
}

/** Downloads a slice to `path` over as many connections as it takes, from where an earlier download stopped. */
async function downloadSlice(slice: Slice, path: string, options: SliceOptions): Promise<void> {
  const { cache, wait, signal } = options;
  await PartialBlob.complete(cache.slices, slice.etag, path, signal, async (part) => {
    if (part.sizeBytes > slice.sizeBytes) await part.clear();
    await retried(
      () => fillSlice(part, slice, options),
      wait,
      signal,
      () => part.sizeBytes,
    );
  });
}

/** Appends what the part lacks. */
async function fillSlice(
  part: PartialBlob,
  { header, segments, sizeBytes }: Slice,
  { client, commit, onProgress, signal }: SliceOptions,
): Promise<void> {
  if (part.sizeBytes < header.byteLength) {
    await part.clear();
    await part.append(header);
  }
  let end = header.byteLength;
  for (const { file, offsetBytes, sizeBytes: segmentBytes } of segments) {
    end += segmentBytes;
    const leftOut = end - part.sizeBytes;
    if (leftOut <= 0) continue;
    const to = offsetBytes + segmentBytes;
    const { isPart, body } = await client.open(commit, file, to - leftOut, to);
    if (!isPart) {
      body.destroy();
      throw new ServiceError('unavailable', `The hub gave all of ${file} where a part was asked for.`);
    }
    const progress = (doneBytes: number) => onProgress?.(doneBytes, sizeBytes);
    await appendBody(part, body, { name: file, sizeBytes: end }, { onProgress: progress, signal });
    if (part.sizeBytes > end) {
      await part.clear();
      throw invalidArgument(`The hub gave more of ${file} than was asked for.`);
    }
  }
}
