import { ServiceError } from '../errors/service-error.ts';
import type { Plan } from './plan.ts';
import type { PlanModel, PlanProjector } from './plan-model.ts';

/** The model of a plan whose views are projected one by one: its tokens are the projector's rows. */
export function projectedModel(model: PlanModel): PlanModel {
  const { grid, hiddenSize: channels } = projectorOf(model);
  return { ...model, grid, channels };
}

/**
 * The plan of features that are assembled first and then projected as one map. Throws `invalid_argument` for features that
 * the model's projector does not take.
 */
export function projectAfter(plan: Plan, model: PlanModel): Plan {
  const { anyGrid, grid: rows, hiddenSize } = projectorOf(model);
  const { grid, shape } = plan;
  const channels = shape.at(-1)!;
  if (channels !== model.channels) {
    throw new ServiceError(
      'invalid_argument',
      `output=embeddings needs features of ${model.channels} channels, which this model's projector takes, and this fusion ` +
        `gives ${channels}. Use fusion=average, or output=features.`,
    );
  }
  const isOwnGrid = grid.width === model.grid.width && grid.height === model.grid.height;
  if (!anyGrid && !isOwnGrid) {
    throw new ServiceError(
      'invalid_argument',
      `This model's projector pools a map of ${model.grid.width}x${model.grid.height} tokens and takes no other: leave ` +
        'grid out, or use output=features.',
    );
  }
  const answer = anyGrid ? grid : rows;
  return {
    ...plan,
    shape: [answer.width * answer.height, hiddenSize],
    grid: answer,
    fused: { shape, grid },
  };
}

function projectorOf({ name, projector }: PlanModel): PlanProjector {
  if (projector === undefined)
    throw new Error(`the model ${name} has no projector, and a plan of embeddings needs one`);
  return projector;
}
