import type { ComparisonOutcome } from '../arithmetic/comparison-outcome.ts';

/** Two panels that are compared, by their ids. */
export interface Comparison {
  readonly pair: readonly [number, number] | undefined;
  readonly shows: 'cosine' | 'difference';
  readonly outcome: ComparisonOutcome | undefined;
}
