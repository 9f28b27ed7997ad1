import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import { JsonObject } from '../json-object.ts';
import type { FeatureLayer } from '../model.ts';
import type { TowerGeometry } from '../tower-geometry.ts';
import { CheckpointFiles } from './checkpoint-files.ts';
import type { ProjectorRecipe } from './families/family.ts';
import { findFamily, requireKnownFamily } from './families/registry.ts';
import { bareRecipe } from './families/bare-projector.ts';
import { projectorFiles, weightFiles } from './weight-map.ts';

/** A projector in a checkpoint other than the tower's. */
export interface FoundProjector {
  readonly family: string;
  readonly recipe: ProjectorRecipe;
  readonly files: CheckpointFiles;
  /** Side of the views of the checkpoint's own tower; undefined where its config.json does not say. */
  readonly imageSize: number | undefined;
}

/**
 * Finds the projector in `source`: a folder with the whole checkpoint or with mm_projector.safetensors or mm_projector.bin,
 * or such a file by itself. Without a config.json that names a family, the names of the tensors must tell it, and the
 * features are `features` or else penultimate, as in LLaVA. Rejects with `invalid_argument`.
 */
export async function openProjector(
  source: string,
  tower: TowerGeometry,
  features: FeatureLayer | undefined,
): Promise<FoundProjector> {
  const isFile = (await stat(source).catch(() => undefined))?.isFile() ?? false;
  const folder = isFile ? dirname(source) : source;
  const candidates = isFile ? [basename(source)] : [...projectorFiles, ...weightFiles];
  const files = await CheckpointFiles.open(folder, candidates);
  const config = await JsonObject.find(join(folder, 'config.json'));
  if (config !== undefined) requireKnownFamily(config);
  const family = config && findFamily(config);
  if (config === undefined || family === undefined) {
    const bare = bareRecipe(files.names(), features ?? 'penultimate');
    if (bare !== undefined) return { ...bare, files, imageSize: undefined };
    const message = `${source} has no projector that siglip-hd knows: it has no config.json of a vision language model, and its tensors are not named as LLaVA names them.`;
    throw invalidArgument(message);
  }
  const recipe = family.read(config, tower, { isOwnTower: false });
  return { family: family.name, recipe, files, imageSize: readImageSize(config) };
}

function readImageSize(config: JsonObject): number | undefined {
  const vision = config.has('vision_config') ? config.object('vision_config') : undefined;
  return vision?.has('image_size') ? vision.integer('image_size', { min: 1, max: 4_096 }) : undefined;
}
