import { invalidArgument } from '../../../errors/invalid-argument.ts';
import type { JsonObject } from '../../json-object.ts';
import { layerAt } from '../../feature-layer.ts';
import type { FeatureLayer } from '../../model.ts';
import type { TowerGeometry } from '../../tower-geometry.ts';

/**
 * The features that `vision_feature_layer` names: an index into the hidden states of the checkpoint's own tower, of which
 * the first is the embedding and the last the output of the last layer, before the final norm. `tower` may be another
 * one, with more layers.
 */
export function readHiddenState(
  config: JsonObject,
  key: string,
  fallback: number,
  { layers }: TowerGeometry,
): FeatureLayer {
  const vision = config.has('vision_config') ? config.object('vision_config') : undefined;
  const own = vision?.integer('num_hidden_layers', { min: 1, max: 512, fallback: layers }) ?? layers;
  const index = config.integer(key, { min: -own - 1, max: own, fallback });
  const layer = index < 0 ? own + 1 + index : index;
  if (layer <= layers) return layerAt(layer, layers);
  throw config.fault(key, `one of the ${layers} layers that the tower has`);
}

/** Refuses a strategy that gives other rows than the patches. */
export function requirePatches(
  config: JsonObject,
  fallback: 'default' | 'full',
  { architecture }: TowerGeometry,
): void {
  const key = 'vision_feature_select_strategy';
  const strategy = config.has(key) ? config.oneOf(key, ['default', 'full']) : fallback;
  // "default" leaves the first token out, which is CLIP's class token and a patch of SigLIP's.
  const expected = architecture === 'clip' ? 'default' : 'full';
  if (strategy === expected) return;
  const message =
    `${config.where}: ${key} "${strategy}" is not supported with a ${architecture} tower, whose patches are what ` +
    `"${expected}" takes.`;
  throw invalidArgument(message);
}
