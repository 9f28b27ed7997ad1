import { ServiceError } from '../../errors/service-error.ts';
import { readModelFolder } from '../../model/load-folder.ts';
import { type ModelSource, servedName } from '../../model/model-source.ts';
import type { Size } from '../../recipes/plan.ts';
import { planRecipe } from '../../recipes/planner.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import type { CompareSettings } from '../settings/compare.ts';
import { refusedInFlags } from '../settings/flag-words.ts';
import { type Side, teacherRecipe, withLayer } from './compared-models.ts';

/**
 * The encoders of --model, labelled A, B, C and so on, and last the teacher of --teacher-of. Reads model.json alone. Throws
 * `invalid_argument` if a folder is none, or if some encoders crop images and others do not; and as the teacher's plan does.
 */
export async function readEncoders(settings: CompareSettings): Promise<readonly Side[]> {
  const { models, teacherOf } = settings;
  const sources = teacherOf === undefined ? models : [...models, teacherOf];
  const sides: Side[] = [];
  for (const [index, source] of sources.entries()) {
    sides.push(await readSide(source, String.fromCodePoint(65 + index), index < models.length, settings));
  }
  requireSamePlaces(sides);
  return sides;
}

/** The most tokens that every side has, across and down. */
export function commonGrid(sides: readonly Side[]): Size {
  return {
    width: Math.min(...sides.map(({ model }) => model.grid.width)),
    height: Math.min(...sides.map(({ model }) => model.grid.height)),
  };
}

/** Whether the side's tokens show the middle square of an image only. A teacher shows all, whatever its model does. */
export function isCropping({ model, recipe }: Side): boolean {
  return recipe.recipe === 'encode' && model.resize === 'crop';
}

async function readSide(
  source: ModelSource,
  label: string,
  isStudent: boolean,
  settings: CompareSettings,
): Promise<Side> {
  const model = withLayer(await readModelFolder(source.folder, label), source, settings.features);
  const recipe: RecipeOptions = isStudent ? { recipe: 'encode' } : teacherRecipe(settings, model.grid);
  const size = { width: model.imageSize, height: model.imageSize };
  const { canvases } = refusedInFlags(() => planRecipe(size, model, recipe));
  const views = canvases.reduce((sum, canvas) => sum + canvas.views.length, 0);
  const name = isStudent ? servedName(source) : `${servedName(source)} as teacher`;
  return { label, name, model, recipe, views };
}

function requireSamePlaces(sides: readonly Side[]): void {
  const cropping = sides.filter(isCropping).map(({ label }) => label);
  if (cropping.length === 0 || cropping.length === sides.length) return;
  const verb = cropping.length === 1 ? 'crops' : 'crop';
  throw new ServiceError(
    'invalid_argument',
    `${cropping.join(', ')} ${verb} images to their middle and the other encoders show the whole image, so their tokens show ` +
      `different places; import the model of ${cropping.join(', ')} with --resize squash.`,
  );
}
