import type { AnswerMetadata } from '../request.ts';
import { dtypeNumbers, featureNumbers, type MetadataMessage, recipeNumbers } from './messages.ts';

/** Metadata for what an answer says of itself. */
export function metadataMessage(metadata: AnswerMetadata): MetadataMessage {
  return {
    ...metadata,
    features: featureNumbers[metadata.features],
    dtype: dtypeNumbers[metadata.dtype],
    recipe: recipeNumbers[metadata.recipe],
  };
}
