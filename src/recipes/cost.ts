import type { Canvas, Plan } from './plan.ts';

/** What it takes to carry out a plan. */
export interface PlanCost {
  /** Views that the engine encodes. */
  readonly views: number;
  /** The views in units of the plan's own view size: a view of twice the side counts as four. */
  readonly load: number;
  /** Tokens of the answer, over all views of a stack. */
  readonly tokens: number;
  /** Numbers in the answer: tokens times channels. */
  readonly values: number;
}

export function planCost(plan: Plan): PlanCost {
  const tokens = plan.shape.slice(0, -1).reduce((product, side) => product * side, 1);
  return {
    views: plan.canvases.reduce((sum, { views }) => sum + views.length, 0),
    load: plan.canvases.reduce((sum, canvas) => sum + canvas.views.length * viewLoad(plan, canvas), 0),
    tokens,
    values: tokens * plan.shape.at(-1)!,
  };
}

/** A view of the canvas in units of the plan's own view size. */
export function viewLoad({ viewSize }: Plan, { encoder }: Canvas): number {
  return Math.ceil(((encoder?.viewSize ?? viewSize) / viewSize) ** 2);
}
