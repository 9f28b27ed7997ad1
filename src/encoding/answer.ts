import type { Reservation } from '../admission/budget.ts';
import { answeredLayers } from '../model/feature-layer.ts';
import { planCost } from '../recipes/cost.ts';
import type { Plan, Size } from '../recipes/plan.ts';
import { slowest } from '../telemetry/stage-timings.ts';
import type { AnswerMetadata } from '../tokens/answer-metadata.ts';
import { dtypeBytes, type TokenDtype } from '../tokens/tensor.ts';
import type { EncodedImage } from './encoded-image.ts';
import type { PlannedImage } from './planned-image.ts';
import type { EncodeAnswer } from './request.ts';
import { hasClassToken, type ResolvedRequest } from './resolve-request.ts';

/**
 * The metadata of an answer for images of these sizes. Plan and the encode call give the same. `stacked`: whether the number
 * of images is the shape's first dimension.
 */
export function answerMetadata(
  { model, output, features, recipe, options: { dtype } }: ResolvedRequest,
  plan: Plan,
  sizes: readonly Size[],
  stacked: boolean,
): AnswerMetadata {
  const { projector } = model;
  return {
    model: { name: model.name, digest: model.digest, trained: model.trained },
    recipe: plan.recipe,
    output,
    features: answeredLayers(output, features),
    precision: model.precision,
    dtype,
    shape: stacked ? [sizes.length, ...plan.shape] : plan.shape,
    grid: plan.grid,
    views: planCost(plan).views,
    images: sizes,
    ...(hasClassToken(recipe) ? { classToken: true } : {}),
    ...(output === 'embeddings' && projector !== undefined
      ? { projector: { family: projector.family, digest: projector.digest } }
      : {}),
    ...(plan.teacher === undefined ? {} : { teacher: plan.teacher }),
    ...(plan.anyres === undefined ? {} : { anyres: plan.anyres }),
  };
}

/** The bytes of one image's tokens, without a format's header. */
export function answerBytes(plan: Plan, dtype: TokenDtype): number {
  return planCost(plan).values * dtypeBytes[dtype];
}

/** Builds one answer from all images, in order. The answer holds `reservation` until it is released. */
export function answerOf(
  resolved: ResolvedRequest,
  images: readonly PlannedImage[],
  answered: readonly EncodedImage[],
  stacked: boolean,
  reservation: Reservation,
): EncodeAnswer {
  const sizes = images.map(({ size }) => size);
  const metadata = answerMetadata(resolved, images[0]!.plan, sizes, stacked);
  return {
    tensor: {
      shape: metadata.shape,
      dtype: metadata.dtype,
      parts: answered.length === 1 ? answered[0]!.parts : answered.flatMap(({ parts }) => parts),
    },
    metadata,
    timings: slowest(answered.map(({ timings }) => timings)),
    uuids: images.map(({ uuid }) => uuid).filter((uuid) => uuid !== undefined),
    keys: images.map(({ key }) => key).filter((key) => key !== undefined),
    sources: answered.map(({ source }) => source),
    release: () => reservation.release(),
  };
}
