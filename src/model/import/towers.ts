import type { FormOf } from './int8-linear.ts';
import type { FeatureLayer, Precision } from '../model.ts';
import { type Tower, TowerBuilder } from './tower.ts';
import { type Normalisation, type TowerGeometry } from '../tower-geometry.ts';

/** A SigLIP or fixed-resolution SigLIP 2 vision tower, with the formulas of transformers' SiglipVisionModel. */
export function siglipTower(
  geometry: TowerGeometry,
  normalisation: Normalisation,
  features: FeatureLayer,
  precision: Precision,
  formOf: FormOf = () => 'int8',
): Tower {
  const tower = new TowerBuilder(geometry, precision, formOf);
  const state = tower.layers(tower.embed(normalisation), features);
  tower.finish(features === 'last_hidden_state' ? tower.norm(state, 'post_layernorm') : state);
  return tower;
}

/**
 * A CLIP vision tower, with the formulas of transformers' CLIPVisionModel: it has a class token, which the answer
 * leaves out, and a norm before its layers. Patches have no norm after them, so last_hidden_state equals pre_norm.
 */
export function clipTower(
  geometry: TowerGeometry,
  normalisation: Normalisation,
  features: FeatureLayer,
  precision: Precision,
  formOf: FormOf = () => 'int8',
): Tower {
  const tower = new TowerBuilder(geometry, precision, formOf);
  // Every checkpoint spells it so.
  tower.finish(tower.layers(tower.norm(tower.embed(normalisation), 'pre_layrnorm'), features));
  return tower;
}
