import type { Precision } from '../model.ts';
import type { Normalisation, TowerGeometry } from '../tower-geometry.ts';
import type { FormOf } from './int8-linear.ts';
import type { LinearBuilder } from './linear-builder.ts';
import { attentionPool, classTokenPool } from './pooling.ts';
import { TowerBuilder, type TowerOutputs } from './tower.ts';

/**
 * A vision tower with transformers' formulas: SiglipVisionModel's, for a SigLIP or a fixed-resolution SigLIP 2, or
 * CLIPVisionModelWithProjection's. A CLIP has a class token and a norm before its layers. Its patches have no norm after
 * them, so last_hidden_state equals pre_norm.
 */
export function buildTower(
  geometry: TowerGeometry,
  normalisation: Normalisation,
  outputs: TowerOutputs,
  precision: Precision,
  formOf?: FormOf,
): LinearBuilder {
  const tower = new TowerBuilder(geometry, outputs, precision, formOf);
  const embedded = tower.embed(normalisation);
  if (geometry.architecture === 'siglip') {
    tower.run(embedded, {
      norm: 'post_layernorm',
      pool: (state) => attentionPool(tower, geometry, state),
    });
  } else {
    // Every checkpoint spells it so.
    tower.run(tower.norm(embedded, 'pre_layrnorm'), {
      pool: (state, pooled) => classTokenPool(tower, geometry, state, pooled),
    });
  }
  return tower.linears;
}
