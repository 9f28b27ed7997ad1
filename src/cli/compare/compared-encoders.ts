import { readModelFolder } from '../../model/load-folder.ts';
import { type ModelSource, servedName } from '../../model/model-source.ts';
import type { Size } from '../../recipes/plan.ts';
import type { CompareSettings } from '../settings/compare.ts';
import { requireSamePlaces, type Side, sideOf, teacherRecipe } from './side.ts';

/**
 * The encoders of --model, labelled A, B, C and so on, and last the teacher of --teacher-of. Reads model.json alone. Throws
 * `invalid_argument` if a folder is none, or if some encoders crop images and others do not; and as the teacher's plan does.
 */
export async function readEncoders(settings: CompareSettings): Promise<readonly Side[]> {
  const { models, teacherOf, features } = settings;
  const sides: Side[] = [];
  const labelOf = () => String.fromCodePoint(65 + sides.length);
  const read = async ({ folder }: ModelSource) => readModelFolder(folder, labelOf());
  for (const source of models) {
    sides.push(sideOf(labelOf(), source, await read(source), { recipe: 'encode' }, features));
  }
  if (teacherOf !== undefined) {
    const model = await read(teacherOf);
    const side = sideOf(labelOf(), teacherOf, model, teacherRecipe(settings, model.grid), features);
    sides.push({ ...side, name: `${servedName(teacherOf)} as teacher` });
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
