import { resolve } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';
import type { ModelSource } from '../../model/model-source.ts';
import type { Encoder } from '../../encoding/encoder.ts';
import type { CompareSettings } from '../settings/compare.ts';
import { readModel } from '../settings/readers.ts';
import { requireSamePlaces, type Side, sideOf, teacherRecipe } from './side.ts';

/** The operands of the command line. */
export interface Comparands {
  readonly a: ModelSource;
  readonly b: ModelSource;
  /** Files, folders and patterns of images. */
  readonly images: readonly string[];
}

/** Splits the operands; with --teacher-of the second model is not among them. Throws `invalid_argument`. */
export function readComparands(operands: readonly string[], teacherOf: ModelSource | undefined): Comparands {
  const [first = '', ...rest] = operands;
  const a = readOperand('MODEL_A', first);
  if (teacherOf !== undefined && rest.length > 0) return { a, b: teacherOf, images: rest };
  const [second = '', ...images] = rest;
  if (teacherOf === undefined && images.length > 0) return { a, b: readOperand('MODEL_B', second), images };
  throw new ServiceError(
    'invalid_argument',
    'compare needs MODEL_A, MODEL_B and an IMAGE, or MODEL_A, an IMAGE and --teacher-of MODEL_B, or --model for each ' +
      'encoder and an IMAGE.',
  );
}

function readOperand(placeholder: string, text: string): ModelSource {
  const reading = readModel(text);
  if (reading.ok) return reading.value;
  throw new ServiceError('invalid_argument', `${placeholder} ${reading.problems.join('; ')}.`);
}

/** The models under the names A and B; if both are one folder it is served once, as A. */
export function servedModels({ a, b }: Comparands): readonly ModelSource[] {
  const served = [{ name: 'A', folder: a.folder }];
  return resolve(a.folder) === resolve(b.folder) ? served : [...served, { name: 'B', folder: b.folder }];
}

/**
 * Both sides, from the encoder that serves them. Throws `invalid_argument` if their tokens cannot be compared, and as
 * the teacher's plan does.
 */
export function readSides(
  { a, b }: Comparands,
  settings: CompareSettings,
  encoder: Pick<Encoder, 'models'>,
): readonly [Side, Side] {
  const [modelA, modelB = modelA] = encoder.models();
  if (modelA === undefined || modelB === undefined) throw new RangeError('the encoder serves no model');
  const { teacherOf, features } = settings;
  const first = sideOf('A', a, modelA, { recipe: 'encode' }, features);
  const recipe = teacherOf === undefined ? first.recipe : teacherRecipe(settings, modelA.grid);
  const second = sideOf('B', b, modelB, recipe, features);
  requireSamePlaces([first, second]);
  const [textA, textB] = [first, second].map(
    ({ plan: { grid, shape } }) => `${grid.width} x ${grid.height} tokens of ${shape.at(-1)} channels`,
  );
  if (textA === textB) return [first, second];
  const advice =
    teacherOf === undefined && modelA.channels === modelB.channels
      ? ' (--teacher-of resizes the grid of a teacher to that of A)'
      : '';
  throw new ServiceError(
    'invalid_argument',
    `A (${first.name}) gives ${textA} and B (${second.name}) ${textB}; both must give the same, as tokens are compared pair by pair${advice}. ` +
      'Give both as --model to compare their neighbours and CKA.',
  );
}
