import { basename } from 'node:path';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import type { ServiceError } from '../../errors/service-error.ts';
import { shortJson, shortName } from '../json-object.ts';
import type { CheckpointFiles, FoundTensor } from './checkpoint-files.ts';
import { openStored, readAt } from './open-stored.ts';
import type { StoredTensor } from './stored-tensor.ts';
import { rowMajor } from './strided.ts';
import type { TensorSource } from './tensor-source.ts';
import type { FoundTower } from './tower-names.ts';
import { convertWeights, storedBytes, storedDtypes, type StoredDtype, type WeightDtype } from './weights.ts';

const chunkElements = 1 << 20;

/** A tensor that is not row-major is read whole; the largest of giant/16 takes 38 MB. */
const maxStridedBytes = 256 * 1024 * 1024;

/**
 * The tensors of one part of a Hugging Face folder, mostly the vision tower, whatever prefix their names have. Holds no
 * file open between reads, and reads only those shards that have a tensor which is asked for.
 */
export class Checkpoint implements TensorSource {
  readonly #files: CheckpointFiles;
  readonly #tower: FoundTower;

  constructor(files: CheckpointFiles, tower: FoundTower) {
    this.#files = files;
    this.#tower = tower;
  }

  /** Whether there is a tensor of this name. */
  has(name: string): boolean {
    return this.#tower.stored.has(name);
  }

  async check(name: string, shape: readonly number[]): Promise<void> {
    const { tensor } = await this.#require(name);
    if (tensor.shape.join() !== shape.join()) {
      throw this.#fault(
        name,
        `has shape [${tensor.shape.join(', ')}]; config.json makes it [${shape.join(', ')}]`,
      );
    }
    this.#dtypeOf(name, tensor);
  }

  /** Shapes of all tensors as stored, by their names without the prefix. */
  async shapes(): Promise<ReadonlyMap<string, readonly number[]>> {
    const shapes = new Map<string, readonly number[]>();
    for (const name of this.#tower.stored.keys()) shapes.set(name, await this.shape(name));
    return shapes;
  }

  /** Shape of a tensor as stored. */
  async shape(name: string): Promise<readonly number[]> {
    return (await this.#require(name)).tensor.shape;
  }

  /** Dtype of a tensor as stored. */
  async dtype(name: string): Promise<string> {
    return (await this.#require(name)).tensor.dtype;
  }

  async *read(
    name: string,
    dtype: WeightDtype,
    rowElements: number,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    const found = await this.#require(name);
    const from = this.#dtypeOf(name, found.tensor);
    const rows = Math.max(1, Math.floor(chunkElements / rowElements));
    const chunkBytes = rows * rowElements * storedBytes[from];
    for await (const chunk of this.#readChunks(name, found, storedBytes[from], chunkBytes)) {
      const converted = convertWeights(chunk, from, dtype);
      if ('fault' in converted) {
        throw this.#fault(
          name,
          converted.fault === 'not finite'
            ? 'has a weight that is NaN or infinite'
            : "has a weight beyond float16's 65504; import with --precision fp32",
        );
      }
      yield converted.bytes;
    }
  }

  /** A tensor's bytes in row-major order, at most `chunkBytes` at a time. */
  async *#readChunks(
    name: string,
    { tensor, path }: FoundTensor,
    elementBytes: 2 | 4,
    chunkBytes: number,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    const { shape, strides, offsetBytes, sizeBytes } = tensor;
    if (strides !== undefined && sizeBytes > maxStridedBytes) {
      throw this.#fault(
        name,
        `is not contiguous and spread over ${sizeBytes} bytes; at most ${maxStridedBytes} are read of such a tensor`,
      );
    }
    const buffer = new Uint8Array(strides === undefined ? Math.min(sizeBytes, chunkBytes) : sizeBytes);
    const file = await openStored(path);
    try {
      for (let done = 0; done < sizeBytes; done += buffer.byteLength) {
        const chunk = buffer.subarray(0, Math.min(buffer.byteLength, sizeBytes - done));
        const isWhole = await readAt(file, chunk, offsetBytes + done);
        if (!isWhole) throw this.#fault(name, `ends early in ${basename(path)}`);
        if (strides === undefined) yield chunk;
        else yield* chunksOf(rowMajor(chunk, elementBytes, shape, strides), chunkBytes);
      }
    } finally {
      await file.close();
    }
  }

  async #require(name: string): Promise<FoundTensor> {
    const stored = this.#tower.stored.get(name);
    const found = stored === undefined ? undefined : await this.#files.find(stored);
    if (found === undefined) throw this.#fault(name, 'is missing');
    return found;
  }

  #dtypeOf(name: string, tensor: StoredTensor): StoredDtype {
    const dtype = storedDtypes.find((one) => one === tensor.dtype);
    if (dtype !== undefined) return dtype;
    throw this.#fault(
      name,
      `is ${shortJson(tensor.dtype).slice(1, -1)}; ${storedDtypes.join(', ')} can be imported`,
    );
  }

  #fault(name: string, sentence: string): ServiceError {
    const stored = this.#tower.stored.get(name) ?? `${this.#tower.prefix}${name}`;
    return invalidArgument(`Tensor ${shortName(stored)} ${sentence}.`);
  }
}

function* chunksOf(bytes: Uint8Array<ArrayBuffer>, chunkBytes: number): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}
