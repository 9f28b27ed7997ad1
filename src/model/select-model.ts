import { ServiceError } from '../errors/service-error.ts';
import type { TokenOutput } from '../recipes/plan.ts';
import { answeredLayers } from './feature-layer.ts';
import type { FeatureLayer, Model } from './model.ts';
import { type OutputModel, requireOutputs } from './require-outputs.ts';

/** What a request may say about the model that it wants. */
export interface ModelWish {
  readonly model?: string;
  readonly expectDigest?: string;
  readonly expectFeatures?: readonly FeatureLayer[];
  readonly expectProjectorDigest?: string;
  /** Features when absent. */
  readonly output?: TokenOutput;
  /** Hidden states to join by channels; the model's default when absent. */
  readonly features?: readonly FeatureLayer[];
  readonly classToken?: boolean;
}

/** The most characters of an unknown name that an error message repeats. */
const longestNamed = 128;

/** The part of a served model with which a wish is compared. */
interface Named {
  readonly model: OutputModel & Pick<Model, 'digest'>;
}

/**
 * The served model that a request means: the one that it names, or the first. Throws `not_found` for a name that is not
 * served, and `failed_precondition` when the model is not the expected one, whose tokens the caller could not use, or
 * does not give what is wanted.
 */
export function selectModel<T extends Named>(served: readonly T[], wish: ModelWish): T {
  const chosen = wish.model === undefined ? served[0] : served.find(({ model }) => model.name === wish.model);
  if (chosen === undefined) {
    const names = served.map(({ model }) => model.name).join(', ');
    // The name is the caller's, and may be of any length.
    const asked = String(wish.model).slice(0, longestNamed);
    throw new ServiceError('not_found', `No model "${asked}" is served here; there is: ${names}.`);
  }
  const { name, digest, projector } = chosen.model;
  if (wish.expectDigest !== undefined && wish.expectDigest !== digest) {
    throw new ServiceError(
      'failed_precondition',
      `The model "${name}" has the digest ${digest}, not the expected ${wish.expectDigest}.`,
    );
  }
  requireExpected(chosen.model, wish);
  requireOutputs(chosen.model, wish);
  const wanted = wish.expectProjectorDigest;
  if (wanted !== undefined && wanted !== projector?.digest) {
    const differs =
      projector === undefined
        ? `has no projector, but the request expects one with the digest ${wanted}`
        : `has a projector with the digest ${projector.digest}, not the expected ${wanted}`;
    throw new ServiceError('failed_precondition', `The model "${name}" ${differs}.`);
  }
  return chosen;
}

/** The layers of the answer must be the one that the caller expects. */
function requireExpected(
  model: OutputModel,
  { expectFeatures, output = 'features', features = [model.features] }: ModelWish,
): void {
  if (expectFeatures === undefined) return;
  const given = answeredLayers(output, features);
  const expected = expectFeatures.join(',');
  if (given === expected) return;
  if (output === 'pooled') {
    throw new ServiceError(
      'failed_precondition',
      `output=pooled is made of ${given}, not of the expected ${expected}; expect ${given}.`,
    );
  }
  const advice = expectFeatures.every((layer) => model.outputs?.features.includes(layer))
    ? `ask for features=${expected}`
    : `import it with --features ${expected}`;
  throw new ServiceError(
    'failed_precondition',
    `The model "${model.name}" gives ${given}, not the expected ${expected}; ${advice}.`,
  );
}
