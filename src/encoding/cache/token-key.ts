import type { Model } from '../../model/model.ts';
import type { EncodeOptions } from '../request.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';

/** Part of every key: increase it when the same image, model and options come to give other tokens. */
const pipelineVersion = 1;

/** Everything that the tokens of an image depend on, and who may see them. */
export interface TokenKeyParts {
  /** See imageDigest. */
  readonly image: string;
  readonly model: Model;
  /** All served models: windows=whole uses several of one tower. */
  readonly models: readonly Model[];
  readonly recipe: RecipeOptions;
  readonly options: EncodeOptions;
  /** The caller that the entry belongs to; undefined where all callers share entries. */
  readonly owner: string | undefined;
}

/** The key of an image's tokens in the cache: equal for requests with equal answers, whatever their options' order. */
export function tokenKey({ image, model, models, recipe, options, owner }: TokenKeyParts): string {
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
