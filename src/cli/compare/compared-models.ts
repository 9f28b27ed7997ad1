import { resolve } from 'node:path';
import type { CompareSettings } from '../settings/compare.ts';
import { refusedInFlags } from '../settings/flag-words.ts';
import { readModel } from '../settings/readers.ts';
import { servedName } from '../../model/model-source.ts';
import type { ModelSource } from '../../model/model-source.ts';
import type { EncoderConfig } from '../../encoding/encoder-config.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { FeatureLayer, Model } from '../../model/model.ts';
import { requireOutputs } from '../../model/require-outputs.ts';
import type { VisualEncoder } from '../../encoding/request.ts';
import type { Size } from '../../recipes/plan.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import { teacherDefaults } from '../../recipes/teacher.ts';

/** The operands of the command line. */
export interface Comparands {
  readonly a: ModelSource;
  readonly b: ModelSource;
  /** Files, folders and patterns of images. */
  readonly images: readonly string[];
}

/** One side of the comparison. */
export interface Side {
  /** A, B, C and so on. */
  readonly label: string;
  /** The name on the command line, or the folder's. */
  readonly name: string;
  /** Its `features` are the hidden state that is compared. */
  readonly model: Model;
  readonly recipe: RecipeOptions;
  /** Views that the model encodes per image. */
  readonly views: number;
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
  throw new ServiceError('invalid_argument', `${placeholder} ${reading.problem}.`);
}

/** The models under the names A and B; if both are one folder it is served once, as A. */
export function servedModels({ a, b }: Comparands): EncoderConfig['models'] {
  const served = [{ name: 'A', folder: a.folder }];
  return resolve(a.folder) === resolve(b.folder) ? served : [...served, { name: 'B', folder: b.folder }];
}

/**
 * Both sides, from the encoder that serves them. Throws `invalid_argument` if their tokens cannot be compared, and as
 * the teacher's plan does.
 */
export function readSides(
  { a, b }: Comparands,
  settings: Pick<CompareSettings, 'teacherOf' | 'scales' | 'weights' | 'windows' | 'features'>,
  encoder: Pick<VisualEncoder, 'plan' | 'models'>,
): readonly [Side, Side] {
  const [modelA, modelB = modelA] = encoder.models();
  if (modelA === undefined || modelB === undefined) throw new RangeError('the encoder serves no model');
  const sideOf = (label: string, source: ModelSource, served: Model, recipe: RecipeOptions) => {
    const model = withLayer(served, source, settings.features);
    const size = { width: model.imageSize, height: model.imageSize };
    const options = {
      model: model.name,
      dtype: 'float32',
      exif: 'apply',
      features: [model.features],
    } as const;
    const { metadata } = refusedInFlags(() => encoder.plan({ size, recipe, options }));
    return { side: { label, name: servedName(source), model, recipe, views: metadata.views }, metadata };
  };
  const first = sideOf('A', a, modelA, { recipe: 'encode' });
  const second = sideOf('B', b, modelB, recipeOfB(settings, modelA));
  // A teacher squashes, whatever its model does in Encode.
  const resizeOfB = settings.teacherOf === undefined ? modelB.resize : 'squash';
  if (modelA.resize !== resizeOfB) {
    const [crops, squashes] = modelA.resize === 'crop' ? ['A', 'B'] : ['B', 'A'];
    throw new ServiceError(
      'invalid_argument',
      `${crops} crops images to their middle and ${squashes} squashes the whole image, so their tokens show different ` +
        `places; import the model of ${crops} with --resize squash.`,
    );
  }
  const texts = [first.metadata, second.metadata].map(
    ({ grid, shape }) => `${grid.width} x ${grid.height} tokens of ${shape.at(-1)} channels`,
  );
  if (texts[0] !== texts[1]) {
    const advice =
      settings.teacherOf === undefined && modelA.channels === modelB.channels
        ? ' (--teacher-of resizes the grid of a teacher to that of A)'
        : '';
    throw new ServiceError(
      'invalid_argument',
      `A gives ${texts[0]} and B ${texts[1]}; both must give the same, as tokens are compared pair by pair${advice}. ` +
        'Give both as --model to compare their neighbours and CKA.',
    );
  }
  return [first.side, second.side];
}

/** The model as a comparison of this hidden state has it. Throws `failed_precondition` if it lacks the state. */
export function withLayer(model: Model, source: ModelSource, layer: FeatureLayer | undefined): Model {
  if (layer === undefined) return model;
  requireOutputs({ ...model, name: servedName(source) }, { features: [layer] });
  return { ...model, features: layer };
}

type TeacherSettings = Pick<CompareSettings, 'scales' | 'weights' | 'windows'>;

function recipeOfB(
  settings: TeacherSettings & Pick<CompareSettings, 'teacherOf'>,
  { grid }: Model,
): RecipeOptions {
  return settings.teacherOf === undefined ? { recipe: 'encode' } : teacherRecipe(settings, grid);
}

/** TeacherEncode with the options on the command line, at a grid. */
export function teacherRecipe({ scales, weights, windows }: TeacherSettings, grid: Size): RecipeOptions {
  return {
    recipe: 'teacher',
    ...teacherDefaults,
    ...(scales === undefined ? {} : { scales }),
    ...(weights === undefined ? {} : { weights }),
    windows,
    grid,
  };
}
