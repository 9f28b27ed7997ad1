import { ServiceError } from '../../errors/service-error.ts';
import { type ModelSource, servedName } from '../../model/model-source.ts';
import type { FeatureLayer, Model } from '../../model/model.ts';
import { requireOutputs } from '../../model/require-outputs.ts';
import type { Plan, Size } from '../../recipes/plan.ts';
import { planRecipe } from '../../recipes/planner.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import { parseOptions } from '../../transport/request-options.ts';
import type { CompareSettings } from '../settings/compare.ts';
import { refusedInFlags } from '../settings/flag-words.ts';

/** A model that is compared, with its recipe. */
export interface Side {
  /** A, B, C and so on. */
  readonly label: string;
  /** The name on the command line, or the folder's. */
  readonly name: string;
  /** Its `features` are the hidden state that is compared. */
  readonly model: Model;
  readonly recipe: RecipeOptions;
  /** For a square image. */
  readonly plan: Plan;
  /** Views that the model encodes per image. */
  readonly views: number;
}

/** Throws as the recipe's plan does, and `failed_precondition` if the model lacks the hidden state `layer`. */
export function sideOf(
  label: string,
  source: ModelSource,
  served: Model,
  recipe: RecipeOptions,
  layer: FeatureLayer | undefined,
): Side {
  const name = servedName(source);
  if (layer !== undefined) requireOutputs({ ...served, name }, { features: [layer] });
  const model = layer === undefined ? served : { ...served, features: layer };
  const size = { width: model.imageSize, height: model.imageSize };
  const plan = refusedInFlags(() => planRecipe(size, model, recipe));
  const views = plan.canvases.reduce((sum, canvas) => sum + canvas.views.length, 0);
  return { label, name, model, recipe, plan, views };
}

/** TeacherEncode with the options on the command line, at a grid. */
export function teacherRecipe(
  { scales, weights, windows }: Pick<CompareSettings, 'scales' | 'weights' | 'windows'>,
  grid: Size,
): RecipeOptions {
  const { recipe } = parseOptions('teacher', { scales, weights, windows });
  const atGrid = { ...recipe, grid };
  return atGrid;
}

/** Whether the side's tokens show the middle square of an image only. A teacher shows all, whatever its model does. */
export function isCropping({ model, recipe }: Side): boolean {
  return recipe.recipe === 'encode' && model.resize === 'crop';
}

/** Throws `invalid_argument` if some sides crop images and others do not. */
export function requireSamePlaces(sides: readonly Side[]): void {
  const [crop, show] = [true, false].map((crops) =>
    sides.filter((side) => isCropping(side) === crops).map(({ label, name }) => `${label} (${name})`),
  );
  if (crop!.length === 0 || show!.length === 0) return;
  const verb = (labels: readonly string[], word: string) =>
    `${labels.join(', ')} ${labels.length === 1 ? `${word}s` : word}`;
  throw new ServiceError(
    'invalid_argument',
    `${verb(crop!, 'crop')} images to their middle and ${verb(show!, 'show')} the whole image, so their tokens show different ` +
      `places; import the model of ${crop!.join(', ')} with --resize squash.`,
  );
}
