import { ServiceError } from '../../errors/service-error.ts';
import type { PlanAnswer, PlanRequest } from '../../encoding/request.ts';
import { metadataMessage } from './answer-metadata.ts';
import type { CallTerms } from './read-request.ts';
import type { PlanRequestMessage, PlanResponseMessage } from './messages.ts';
import { anyresOptionsOf, type AskedOptions, encodeOptionsOf, teacherOptionsOf } from './request-options.ts';

/**
 * The request that a PlanRequest makes. Throws `invalid_argument` for a missing size or recipe, and for its options.
 */
export function planRequestOf(message: PlanRequestMessage, { terms }: CallTerms): PlanRequest {
  const { image } = message;
  if (image === null)
    throw new ServiceError(
      'invalid_argument',
      "The request has no size: set image to the image's in pixels.",
    );
  return { size: image, ...askedOptionsOf(message), terms };
}

function askedOptionsOf({ recipe, options, teacher, anyres }: PlanRequestMessage): AskedOptions {
  if (recipe === undefined)
    throw new ServiceError('invalid_argument', 'The request has no recipe: set encode, teacher or anyres.');
  const asked = {
    encode: () => encodeOptionsOf(options),
    teacher: () => teacherOptionsOf(options, teacher ?? null),
    anyres: () => anyresOptionsOf(options, anyres ?? null),
  };
  return asked[recipe]();
}

/** PlanResponse for a plan. */
export function planResponse({ metadata, tokens, sizeBytes }: PlanAnswer): PlanResponseMessage {
  return { metadata: metadataMessage(metadata), tokens, sizeBytes };
}
