import { invalidArgument } from '../../../errors/invalid-argument.ts';
import { type JsonObject, shortJson } from '../../json-object.ts';
import type { FeatureLayer } from '../../model.ts';
import type { TowerGeometry } from '../../tower-geometry.ts';
import { processorDefaults } from '../processor-class.ts';
import type { DescribedTower, Family, ProjectorLinear, ProjectorRecipe, TowerShapes } from './family.ts';
import { readHiddenState } from './hidden-state.ts';
import { readMaxTiles, readPinpoints } from './pinpoints.ts';

/** LLaVA's own layout of 1.5, 1.6 and NeXT: config.json names the tower and does not describe it. */
export const llavaOriginal: Family = {
  name: 'llava-original',
  matches: (config) =>
    !config.has('vision_config') && (config.has('mm_projector_type') || config.has('mm_vision_tower')),
  tensors: /(?:^|\.)(?:mm_projector\.|image_newline$)/,
  read: readOriginal,
  describeTower,
  towerRepository: (config) => {
    const name = config.get('mm_vision_tower');
    return typeof name === 'string' ? name : undefined;
  },
};

function readOriginal(
  config: JsonObject,
  tower: TowerGeometry,
  { isOwnTower }: { readonly isOwnTower: boolean },
): ProjectorRecipe {
  if (config.has('mm_vision_select_feature')) config.oneOf('mm_vision_select_feature', ['patch']);
  // Only this merge makes the map that AnyRes answers.
  const isUnpadded = hasUnpad(config);
  return {
    features: readFeatures(config, tower, isOwnTower),
    linears: readLinears(config),
    isPadded: config.get('image_aspect_ratio') === 'pad',
    languageWidth: config.has('hidden_size')
      ? config.integer('hidden_size', { min: 1, max: 65_536 })
      : undefined,
    ...(isUnpadded ? { newline: 'image_newline' } : {}),
    ...(isUnpadded && isTiled(config)
      ? {
          anyres: {
            pinpoints: readPinpoints(config, 'width first'),
            maxTiles: readMaxTiles(config, 'image_aspect_ratio', 'anyres'),
          },
        }
      : {}),
  };
}

/** Layers of Google's SigLIP towers, by their channels. */
const siglipLayers: ReadonlyMap<number, number> = new Map([
  [768, 12],
  [1024, 24],
  [1152, 27],
  [1536, 40],
]);

/**
 * LLaVA-NeXT drops the last layer of a SigLIP on loading, takes the output of the layers that are left, whatever
 * mm_vision_select_layer says, and saves those alone. A fork may save the whole tower, and count from its end.
 */
function readFeatures(config: JsonObject, tower: TowerGeometry, isOwnTower: boolean): FeatureLayer {
  const key = 'mm_vision_select_layer';
  if (tower.architecture !== 'siglip') return readHiddenState(config, key, -2, tower);
  if (!isOwnTower) return 'penultimate';
  const layer = config.integer(key, { min: -2, max: -1, fallback: -2 });
  const whole = siglipLayers.get(tower.channels);
  if (tower.layers + 1 === whole || (tower.layers !== whole && layer === -1)) return 'pre_norm';
  if (tower.layers === whole && layer === -2) return 'penultimate';
  const message =
    `${config.where}: ${key} ${layer} with the ${tower.layers} layers of the checkpoint's SigLIP tower does not tell which ` +
    'layer the projector takes; --tower-only imports the tower alone, with the layer that --features names.';
  throw invalidArgument(message);
}

function readLinears(config: JsonObject): readonly ProjectorLinear[] {
  const type = config.get('mm_projector_type') ?? 'linear';
  const linear = (module: string) => ({ weight: `${module}.weight`, bias: `${module}.bias` });
  if (type === 'linear') return [linear('model.mm_projector')];
  const depth = Number(/^mlp([1-9])x_gelu$/.exec(typeof type === 'string' ? type : '')?.[1] ?? 0);
  if (depth === 0) throw config.fault('mm_projector_type', 'linear or mlpNx_gelu');
  // Every other module of the sequence is a gelu.
  return Array.from({ length: depth }, (_, index) => linear(`model.mm_projector.${index * 2}`));
}

function isTiled(config: JsonObject): boolean {
  const ratio = config.get('image_aspect_ratio');
  return typeof ratio === 'string' && ratio.startsWith('anyres');
}

function hasUnpad(config: JsonObject): boolean {
  const merge = config.get('mm_patch_merge_type');
  return typeof merge === 'string' && merge.includes('unpad');
}

/** OpenAI's CLIP has heads of 64 channels; SigLIP's So400m (1152 channels) and giant (1536) have 16 heads. */
function headsOf(channels: number): number {
  return channels === 1152 || channels === 1536 ? 16 : channels / 64;
}

/** What the tensors do not say is that of OpenAI's CLIP, or of Google's SigLIP. */
function describeTower(config: JsonObject, shapes: TowerShapes): DescribedTower {
  const architecture = shapes.has('embeddings.class_embedding') ? 'clip' : 'siglip';
  const [channels = 0, , patchSize = 0] = shapes.get('embeddings.patch_embedding.weight') ?? [];
  const [positions = 0] = shapes.get('embeddings.position_embedding.weight') ?? [];
  const [mlpChannels = 0] = shapes.get('encoder.layers.0.mlp.fc1.weight') ?? [];
  const side = Math.sqrt(positions - (architecture === 'clip' ? 1 : 0));
  if (
    ![side, headsOf(channels), mlpChannels, patchSize].every((one) => Number.isSafeInteger(one) && one > 0)
  ) {
    const message = `The vision tower's tensors have shapes that no ${architecture} tower has.`;
    throw invalidArgument(message);
  }
  const layers = [...shapes.keys()].filter((name) => /^encoder\.layers\.\d+\.mlp\.fc1\.weight$/.test(name));
  const imageSize = imageSizeOf(config, side, patchSize);
  const { resample, mean, std } = processorDefaults(architecture);
  return {
    geometry: {
      architecture,
      imageSize,
      checkpointImageSize: imageSize,
      patchSize,
      channels,
      layers: layers.length,
      heads: headsOf(channels),
      mlpChannels,
      epsilon: architecture === 'clip' ? 1e-5 : 1e-6,
      activation: architecture === 'clip' ? 'quick_gelu' : 'gelu_tanh',
    },
    imageSize,
    preprocessing: {
      resample,
      resize: architecture === 'clip' && !isTiled(config) ? 'crop' : 'squash',
      normalisation: { rescale: 1 / 255, mean, std },
    },
  };
}

/** The size at the end of the tower's name, where it makes the grid; a last incomplete patch is not in the tensors. */
function imageSizeOf(config: JsonObject, side: number, patchSize: number): number {
  const named = Number(/-(\d{1,4})$/.exec(shortJson(config.get('mm_vision_tower')).replaceAll('"', ''))?.[1]);
  return Math.floor(named / patchSize) === side ? named : side * patchSize;
}
