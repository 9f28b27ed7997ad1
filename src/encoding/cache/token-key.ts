import type { Model } from '../../model/model.ts';
import type { EncodeOptions } from '../request.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';

/** Part of every key: count it up when the same image, model and options come to give other tokens. */
const pipelineVersion = 1;

/** All that the tokens of an image depend on, and who may see them. */
export interface ResultKeyParts {
  /** See imageDigest. */
  readonly image: string;
  readonly model: Model;
  /** All served models: with windows=whole several of one tower take part. */
  readonly models: readonly Model[];
  readonly recipe: RecipeOptions;
  readonly options: EncodeOptions;
  /** Of the caller whose entries these are; absent where all share them. */
  readonly owner: string | undefined;
}

/**
 * The key of an image's tokens in the cache: equal for requests that are answered alike, whatever the options' order.
 */
export function resultKey({ image, model, models, recipe, options, owner }: ResultKeyParts): string {
  const { dtype, exif } = options;
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
  ]);
}
