import type { FormOf } from './int8-linear.ts';
import type { FeatureLayer, Precision } from '../model.ts';
import { type Tower, TowerBuilder } from './tower.ts';
import { type Normalisation, type TowerGeometry } from '../tower-geometry.ts';

/**
 * A CLIP vision tower, formulas as in transformers' CLIPVisionModel: a class token, which is not among the
 * answer's, and a norm before the layers. No norm follows them for patches, so last_hidden_state and pre_norm are
 * the same.
 */
export function clipTower(
  geometry: TowerGeometry,
  normalisation: Normalisation,
  features: FeatureLayer,
  precision: Precision,
  formOf: FormOf = () => 'int8',
): Tower {
  const tower = new TowerBuilder(geometry, precision, formOf);
  // Spelt so in every checkpoint.
  tower.finish(tower.layers(tower.norm(tower.embed(normalisation), 'pre_layrnorm'), features));
  return tower;
}
