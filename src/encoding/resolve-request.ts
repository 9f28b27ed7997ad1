import { type RequestTerms, defaultTerms } from '../admission/priority.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { FeatureLayer, Model } from '../model/model.ts';
import { selectModel } from '../model/select-model.ts';
import { settledAnyres } from '../recipes/anyres.ts';
import type { Plan, Size, TokenOutput } from '../recipes/plan.ts';
import { planRecipe } from '../recipes/planner.ts';
import type { RecipeOptions } from '../recipes/recipe-options.ts';
import type { EncodingModel, EncodingParts } from './encoding-parts.ts';
import type { EncodeOptions, EncodeRequest } from './request.ts';

/** What all images of a request share once its model is selected. */
export interface ResolvedRequest {
  readonly model: Model;
  readonly batcher: EncodingModel['batcher'];
  /** Of the model; present wherever `output` is embeddings. */
  readonly projector: EncodingModel['projector'];
  readonly recipe: RecipeOptions;
  readonly output: TokenOutput;
  /** The hidden states whose tokens are joined, at least one. */
  readonly features: readonly FeatureLayer[];
  /** Plans the answer for an image of this size. Throws what planRecipe throws. */
  readonly plan: (size: Size) => Plan;
  readonly options: EncodeOptions;
  readonly terms: RequestTerms;
  readonly hasUuids: boolean;
  /**
   * Adds to the size of the answer. Throws `too_large`, and adds nothing, if the sum would exceed the limit of one answer.
   * Bytes that are not answered after all are given back as a negative size.
   */
  readonly limitAnswer: (sizeBytes: number) => void;
}

/**
 * Selects the model of a request. Throws `not_found` when it is not served, and `failed_precondition` when it is not the
 * model that the request expects, or does not give what it wants.
 */
export function resolveRequest(
  { served, teacher, maxAnswerBytes }: EncodingParts,
  {
    recipe: given,
    options,
    terms = defaultTerms,
    hasUuids = false,
  }: Pick<EncodeRequest, 'recipe' | 'options' | 'terms' | 'hasUuids'>,
): ResolvedRequest {
  const isTeacher = given.recipe === 'teacher' && options.model === undefined && teacher !== undefined;
  const classToken = hasClassToken(given);
  const wish = { classToken, ...options, ...(isTeacher ? { model: teacher } : {}) };
  const { model, batcher, projector } = selectModel(served, wish);
  const { features = [model.features], output = 'features' } = options;
  // Equal requests have equal keys, whether or not they name what they would get anyway.
  const recipe: RecipeOptions =
    given.recipe === 'anyres' ? { recipe: 'anyres', ...settledAnyres(given, model) } : given;
  // The tokens have the channels of all these hidden states.
  const planModel = features.length === 1 ? model : { ...model, channels: model.channels * features.length };
  return {
    model,
    batcher,
    projector,
    recipe,
    output,
    features,
    plan: (size) =>
      planRecipe(
        size,
        planModel,
        recipe,
        served.map((one) => one.model),
        output,
      ),
    options,
    terms,
    hasUuids,
    limitAnswer: answerLimit(maxAnswerBytes),
  };
}

/** Whether the class token precedes the patches' tokens. */
export function hasClassToken(recipe: RecipeOptions): boolean {
  return recipe.recipe === 'encode' && recipe.classToken === true;
}

function answerLimit(maxBytes: number): (sizeBytes: number) => void {
  let sum = 0;
  return (sizeBytes) => {
    sum += sizeBytes;
    if (sum <= maxBytes) return;
    const [size, limit] = [sum, maxBytes].map((value) => value.toLocaleString('en-US'));
    sum -= sizeBytes;
    throw new ServiceError(
      'too_large',
      `The answer would have ${size} bytes; the limit is ${limit} (--max-answer-bytes).`,
    );
  };
}

/** The key of a request's flight. It contains the priority: an interactive request must not wait for bulk. */
export function flightKey({ terms }: ResolvedRequest, key: string | undefined): string | undefined {
  return key === undefined ? undefined : `${terms.priority} ${key}`;
}
