import type { FormOf } from './int8-linear.ts';
import type { FeatureLayer, Precision } from '../model.ts';
import { type Tower, TowerBuilder } from './tower.ts';
import { type Normalisation, type TowerGeometry } from '../tower-geometry.ts';

/** A SigLIP or fixed-resolution SigLIP 2 vision tower; formulas as in transformers' SiglipVisionModel. */
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
