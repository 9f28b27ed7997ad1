import type { Model } from '../model/model.ts';
import { planCost } from '../recipes/cost.ts';
import type { Plan, Size } from '../recipes/plan.ts';
import type { AnswerMetadata } from '../tokens/answer-metadata.ts';
import type { TokenDtype } from '../tokens/tensor.ts';

/** What is known of an answer before any view is encoded. `sizes` are the images', in pixels. */
export interface AnswerOutline {
  readonly model: Model;
  readonly plan: Plan;
  readonly dtype: TokenDtype;
  readonly sizes: readonly Size[];
  /** Whether the number of images is the shape's first dimension. */
  readonly stacked: boolean;
}

/** The metadata of an answer: the same from Plan as from the encode call. */
export function answerMetadata({ model, plan, dtype, sizes, stacked }: AnswerOutline): AnswerMetadata {
  return {
    model: { name: model.name, digest: model.digest, trained: model.trained },
    recipe: plan.recipe,
    features: model.features,
    precision: model.precision,
    dtype,
    shape: stacked ? [sizes.length, ...plan.shape] : plan.shape,
    grid: plan.grid,
    views: planCost(plan).views,
    images: sizes,
    ...(plan.teacher === undefined ? {} : { teacher: plan.teacher }),
    ...(plan.anyres === undefined ? {} : { anyres: plan.anyres }),
  };
}
