import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import { shortName } from '../json-object.ts';
import { openStored, readAt } from './open-stored.ts';
import { readSafetensorsHeader } from './safetensors.ts';
import type { StoredTensor, StoredTensors } from './stored-tensor.ts';
import { readTorchFile } from './torch-file.ts';
import { isIndex, readWeightMap, weightFiles } from './weight-map.ts';

const pointerStart = 'version https://git-lfs.github.com/spec/';

export interface FoundTensor {
  readonly tensor: StoredTensor;
  readonly path: string;
}

/** Finds the tensors of a checkpoint folder, without reading their values. Opens a shard only for a tensor in it. */
export class CheckpointFiles {
  readonly #folder: string;
  readonly #fileOf: ReadonlyMap<string, string>;
  readonly #tensors = new Map<string, Promise<StoredTensors>>();

  private constructor(folder: string, fileOf: ReadonlyMap<string, string>) {
    this.#folder = folder;
    this.#fileOf = fileOf;
  }

  /** Opens the first of `candidates` that the folder has. Rejects with `invalid_argument`. */
  static async open(folder: string, candidates: readonly string[] = weightFiles): Promise<CheckpointFiles> {
    for (const file of candidates) {
      const path = join(folder, file);
      if (!existsSync(path)) continue;
      if (isIndex(file)) return new CheckpointFiles(folder, await readWeightMap(path, `${file} is missing.`));
      const tensors = await readTensors(path);
      const files = new CheckpointFiles(folder, new Map([...tensors.keys()].map((name) => [name, file])));
      files.#tensors.set(file, Promise.resolve(tensors));
      return files;
    }
    await refuseExports(folder);
    const others = (await readdir(folder)).filter((name) =>
      /\.(safetensors|bin|pth?|ckpt|msgpack|h5|gguf)$/.test(name),
    );
    const found = others.length === 0 ? '' : `; it has ${others.slice(0, 4).map(shortName).join(', ')}`;
    const message = `${folder} has no weights to import: expected one of ${candidates.join(', ')}${found}.`;
    throw invalidArgument(message);
  }

  /** Names of all tensors. */
  names(): Iterable<string> {
    return this.#fileOf.keys();
  }

  /** A tensor and the file that it is in; undefined when the file does not have it. */
  async find(name: string): Promise<FoundTensor | undefined> {
    const file = this.#fileOf.get(name);
    if (file === undefined) return undefined;
    const path = join(this.#folder, file);
    const tensors = this.#tensors.get(file) ?? readTensors(path);
    this.#tensors.set(file, tensors);
    const tensor = (await tensors).get(name);
    return tensor && { tensor, path };
  }
}

/** A folder whose only weights are ONNX exports, as onnx-community publishes them. */
async function refuseExports(folder: string): Promise<void> {
  for (const inner of [folder, join(folder, 'onnx')]) {
    const names = await readdir(inner).catch((): string[] => []);
    const [first, ...more] = names.filter((name) => name.endsWith('.onnx')).toSorted();
    if (first === undefined) continue;
    const others = more.length === 0 ? '' : `, or another of its ${more.length + 1} exports`;
    const message = `${folder} has ONNX exports in place of weights; give the .onnx file: ${join(inner, first)}${others}.`;
    throw invalidArgument(message);
  }
}

async function readTensors(path: string): Promise<StoredTensors> {
  await requireContent(path);
  return path.endsWith('.bin') ? readTorchFile(path) : readSafetensorsHeader(path);
}

/** A clone without Git LFS has a small text in the place of each large file. */
async function requireContent(path: string): Promise<void> {
  const file = await openStored(path);
  try {
    const start = Buffer.alloc(pointerStart.length);
    const isPointer = (await readAt(file, start, 0)) && start.toString('latin1') === pointerStart;
    if (!isPointer) return;
  } finally {
    await file.close();
  }
  const message = `${basename(path)} is only a pointer of Git LFS; "git lfs pull" downloads the file itself.`;
  throw invalidArgument(message);
}
