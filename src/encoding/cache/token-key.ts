import { createHash } from 'node:crypto';
import { sameLayers } from '../../model/feature-layer.ts';
import type { Model } from '../../model/model.ts';
import type { EncodeOptions } from '../request.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';

/** Part of every key. Increase it when the same image, model and options start to give other tokens. */
const pipelineVersion = 1;

/** Everything that an image's tokens depend on, and who may see them. */
export interface TokenKeyParts {
  /** The image's digest, from imageDigest. */
  readonly image: string;
  readonly model: Model;
  /** All served models, because windows=whole uses several of one tower. */
  readonly models: readonly Model[];
  readonly recipe: RecipeOptions;
  readonly options: EncodeOptions;
  /** The caller that the entry belongs to; undefined if callers share entries. */
  readonly owner: string | undefined;
}

/** The cache key of an image's tokens. It does not depend on the order of options or the model's name. */
export function tokenKey({ image, model, models, recipe, options, owner }: TokenKeyParts): string {
  const { output, features = [model.features], dtype, exif } = options;
  const tower = models.filter(({ towerDigest }) => towerDigest === model.towerDigest);
  const whole = recipe.recipe === 'teacher' && recipe.windows === 'whole';
  return JSON.stringify([
    pipelineVersion,
    owner ?? null,
    image,
    model.digest,
    whole ? tower.map(({ digest }) => digest).toSorted() : [],
    Object.entries(recipe).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    dtype,
    exif,
    ...(output === 'embeddings' ? [output, model.projector?.digest] : []),
    ...(output === 'pooled' ? [output] : []),
    // The default is part of the model's digest.
    ...(sameLayers(features, [model.features]) ? [] : [{ features }]),
  ]);
}

/** 64 hex digits over everything that an image's tokens depend on, whoever asks for them. */
export function tokenUuid(parts: Omit<TokenKeyParts, 'owner'>): string {
  return createHash('sha256')
    .update(tokenKey({ ...parts, owner: undefined }))
    .digest('hex');
}
