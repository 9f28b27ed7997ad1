import { projectorPrefix } from './linear-builder.ts';

/** Names of a projector's tensors in a graph. `.weight` and `.bias` follow that of a matrix product. */
export function linearName(index: number): string {
  return `${projectorPrefix}linear_${index + 1}`;
}

/** Name of a tensor of a projector's preparation. */
export function preparationName(index: number): string {
  return `${projectorPrefix}preparation_${index + 1}`;
}

/** Name of the newline, which no graph has. */
export const newlineName = `${projectorPrefix}newline`;
