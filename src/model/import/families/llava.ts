import type { JsonObject } from '../../json-object.ts';
import type { TowerGeometry } from '../../tower-geometry.ts';
import type { Family, ProjectorRecipe } from './family.ts';
import { readHiddenState, requirePatches } from './hidden-state.ts';
import { textWidth } from './text-width.ts';

/** Names of the projector's tensors in all models of llava-hf. */
export const llavaTensors = /(?:^|\.)(?:multi_modal_projector\.|image_newline$)/;

/** LLaVA-1.5 in the layout of llava-hf, with a CLIP or a SigLIP tower. */
export const llava: Family = {
  name: 'llava',
  matches: (config) => config.get('model_type') === 'llava' && config.has('vision_config'),
  tensors: llavaTensors,
  read: (config, tower) => readLlavaProjector(config, tower, { layer: -2, strategy: 'default' }),
};

/** The projector that all models of llava-hf share: two matrix products. */
export function readLlavaProjector(
  config: JsonObject,
  tower: TowerGeometry,
  defaults: { readonly layer: number; readonly strategy: 'default' | 'full' },
): ProjectorRecipe {
  requirePatches(config, defaults.strategy, tower);
  if (config.has('projector_hidden_act')) config.oneOf('projector_hidden_act', ['gelu']);
  const hasBias = config.boolean('multimodal_projector_bias', true);
  const linear = (name: string) => ({
    weight: `multi_modal_projector.${name}.weight`,
    ...(hasBias ? { bias: `multi_modal_projector.${name}.bias` } : {}),
  });
  return {
    features: readHiddenState(config, 'vision_feature_layer', defaults.layer, tower),
    linears: [linear('linear_1'), linear('linear_2')],
    languageWidth: textWidth(config),
  };
}
