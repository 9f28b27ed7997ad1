import type { TeacherMakeup } from '../../recipes/plan.ts';
import type { AnswerMetadata } from '../../tokens/answer-metadata.ts';
import {
  dtypeNumbers,
  featureNumbers,
  fusionNumbers,
  type MetadataMessage,
  recipeNumbers,
  type TeacherMakeupMessage,
  windowsNumbers,
} from './messages.ts';

/** Metadata for what an answer says of itself. */
export function metadataMessage({ teacher, ...metadata }: AnswerMetadata): MetadataMessage {
  return {
    ...metadata,
    features: featureNumbers[metadata.features],
    dtype: dtypeNumbers[metadata.dtype],
    recipe: recipeNumbers[metadata.recipe],
    ...(teacher === undefined ? {} : { teacher: makeupMessage(teacher) }),
  };
}

function makeupMessage(teacher: TeacherMakeup): TeacherMakeupMessage {
  return {
    ...teacher,
    fusion: fusionNumbers[teacher.fusion],
    windows: windowsNumbers[teacher.windows],
  };
}
