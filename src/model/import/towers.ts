import type { FormOf } from './int8-linear.ts';
import type { Precision } from '../model.ts';
import { attentionPool, classTokenPool } from './pooling.ts';
import { type Tower, TowerBuilder, type TowerOutputs } from './tower.ts';
import { type Normalisation, type TowerGeometry } from '../tower-geometry.ts';

/** A SigLIP or fixed-resolution SigLIP 2 vision tower, with the formulas of transformers' SiglipVisionModel. */
export function siglipTower(
  geometry: TowerGeometry,
  normalisation: Normalisation,
  outputs: TowerOutputs,
  precision: Precision,
  formOf: FormOf = () => 'int8',
): Tower {
  const tower = new TowerBuilder(geometry, outputs, precision, formOf);
  tower.run(tower.embed(normalisation), {
    norm: 'post_layernorm',
    pool: (state) => attentionPool(tower, geometry, state),
  });
  return tower;
}

/**
 * A CLIP vision tower, with the formulas of transformers' CLIPVisionModelWithProjection: it has a class token and a norm
 * before its layers. Patches have no norm after them, so last_hidden_state equals pre_norm.
 */
export function clipTower(
  geometry: TowerGeometry,
  normalisation: Normalisation,
  outputs: TowerOutputs,
  precision: Precision,
  formOf: FormOf = () => 'int8',
): Tower {
  const tower = new TowerBuilder(geometry, outputs, precision, formOf);
  // Every checkpoint spells it so.
  tower.run(tower.norm(tower.embed(normalisation), 'pre_layrnorm'), {
    pool: (state, pooled) => classTokenPool(tower, geometry, state, pooled),
  });
  return tower;
}
