import { access } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';
import { openStored, readSafetensorsHeader, type StoredTensor } from './safetensors.ts';
import type { TensorSource } from './tensor-source.ts';
import { indexFile, readWeightMap, singleFile } from './weight-map.ts';
import { convertWeights, storedBytes, storedDtypes, type WeightDtype } from './weights.ts';

const chunkElements = 1 << 20;

/** How the vision tower's tensors may be prefixed: in two-tower checkpoints and transformers 4; in transformers 5. */
const prefixes = ['vision_model.', ''] as const;
const telltale = 'embeddings.patch_embedding.weight';

type Header = ReadonlyMap<string, StoredTensor>;

/**
 * The vision tower's tensors of a Hugging Face folder. Names are without `vision_model.`. Holds no file open between
 * reads, and of shards reads only those that are asked for.
 */
export class Checkpoint implements TensorSource {
  readonly #folder: string;
  readonly #fileOf: (stored: string) => string | undefined;
  readonly #headers = new Map<string, Promise<Header>>();
  #prefix = '';

  private constructor(folder: string, fileOf: (stored: string) => string | undefined) {
    this.#folder = folder;
    this.#fileOf = fileOf;
  }

  static async open(folder: string): Promise<Checkpoint> {
    const checkpoint = new Checkpoint(folder, await findFiles(folder));
    for (const prefix of prefixes) {
      checkpoint.#prefix = prefix;
      if ((await checkpoint.#find(telltale)) !== undefined) return checkpoint;
    }
    throw new ServiceError(
      'invalid_argument',
      `Tensor ${prefixes.map((prefix) => prefix + telltale).join(' or ')} is missing; ` +
        'the checkpoint has no SigLIP or CLIP vision tower.',
    );
  }

  async check(tensor: string, shape: readonly number[]): Promise<void> {
    const { stored } = await this.#require(tensor);
    if (stored.shape.join() !== shape.join()) {
      throw this.#fault(
        tensor,
        `has shape [${stored.shape.join(', ')}]; config.json makes it [${shape.join(', ')}]`,
      );
    }
    if (!storedDtypes.some((dtype) => dtype === stored.dtype)) {
      throw this.#fault(tensor, `is ${stored.dtype}; ${storedDtypes.join(', ')} can be imported`);
    }
  }

  /** Dtype of a tensor as stored. */
  async dtype(tensor: string): Promise<string> {
    return (await this.#require(tensor)).stored.dtype;
  }

  async *read(
    tensor: string,
    dtype: WeightDtype,
    rowElements: number,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    const { stored, path } = await this.#require(tensor);
    const from = storedDtypes.find((one) => one === stored.dtype);
    if (from === undefined) throw this.#fault(tensor, `is ${stored.dtype}`);
    const rows = Math.max(1, Math.floor(chunkElements / rowElements));
    const buffer = new Uint8Array(Math.min(stored.sizeBytes, rows * rowElements * storedBytes[from]));
    const file = await openStored(path);
    try {
      for (let done = 0; done < stored.sizeBytes; done += buffer.byteLength) {
        const chunk = buffer.subarray(0, Math.min(buffer.byteLength, stored.sizeBytes - done));
        const { bytesRead } = await file.read(chunk, 0, chunk.byteLength, stored.offsetBytes + done);
        if (bytesRead !== chunk.byteLength) throw this.#fault(tensor, `ends early in ${basename(path)}`);
        const converted = convertWeights(chunk, from, dtype);
        if ('fault' in converted) {
          throw this.#fault(
            tensor,
            converted.fault === 'not finite'
              ? 'has a weight that is NaN or infinite'
              : "has a weight beyond float16's 65504; import with --precision fp32",
          );
        }
        yield converted.bytes;
      }
    } finally {
      await file.close();
    }
  }

  async #require(tensor: string): Promise<{ readonly stored: StoredTensor; readonly path: string }> {
    const found = await this.#find(tensor);
    if (found === undefined) throw this.#fault(tensor, 'is missing');
    return found;
  }

  async #find(tensor: string): Promise<{ readonly stored: StoredTensor; readonly path: string } | undefined> {
    const name = this.#prefix + tensor;
    const file = this.#fileOf(name);
    if (file === undefined) return undefined;
    const path = join(this.#folder, file);
    const header = this.#headers.get(file) ?? readSafetensorsHeader(path);
    this.#headers.set(file, header);
    const stored = (await header).get(name);
    return stored && { stored, path };
  }

  #fault(tensor: string, sentence: string): ServiceError {
    return new ServiceError('invalid_argument', `Tensor ${this.#prefix}${tensor} ${sentence}.`);
  }
}

/** Which file of the folder has a tensor; of a single file, always that. */
async function findFiles(folder: string): Promise<(stored: string) => string | undefined> {
  if (await exists(join(folder, singleFile))) return () => singleFile;
  const missing =
    `model.safetensors is missing in ${folder}, and so is ${indexFile}; pytorch_model.bin is not read: ` +
    'save_pretrained() of a current transformers writes safetensors.';
  const files = await readWeightMap(join(folder, indexFile), missing);
  return (stored) => files.get(stored);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
