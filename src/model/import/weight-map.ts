import { basename } from 'node:path';
import { JsonObject } from '../json-object.ts';

/** Files of weights, in transformers' order of preference: single files, and indexes of shards. */
export const weightFiles = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const;

/** Files of a projector alone, as LLaVA's first stage of training writes one. */
export const projectorFiles = ['mm_projector.safetensors', 'mm_projector.bin'] as const;

/** Whether a file of weights is an index of the files that have them. */
export function isIndex(file: string): boolean {
  return file.endsWith('.index.json');
}

/**
 * Which file has a tensor, by the tensor's name, from an index of shards such as model.safetensors.index.json. An
 * index comes with the download: one that reaches out of its folder is refused. `missing` is the message when there
 * is none.
 */
export async function readWeightMap(path: string, missing: string): Promise<ReadonlyMap<string, string>> {
  const map = (await JsonObject.read(path, missing)).object('weight_map');
  const files = new Map<string, string>();
  for (const tensor of map.keys()) {
    const file = map.string(tensor);
    if (file !== basename(file) || /[\\:\0]/.test(file) || !/\.(safetensors|bin)$/.test(file)) {
      throw map.fault(tensor, 'the name of a .safetensors or .bin file');
    }
    files.set(tensor, file);
  }
  return files;
}
