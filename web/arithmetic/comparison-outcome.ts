import type { Paint } from './paint.ts';

/** Figures of two panels' tokens, as `siglip-hd compare` gives them. */
export interface ComparisonFigures {
  readonly tokens: number;
  readonly meanCosine: number;
  readonly percentile1: number;
  readonly leastCosine: number;
  readonly meanL1: number;
  readonly largestDifference: number;
}

export type ComparisonOutcome =
  | {
      readonly kind: 'compared';
      readonly figures: ComparisonFigures;
      readonly paint: Paint;
      readonly scale: readonly [least: number, most: number];
    }
  | { readonly kind: 'impossible'; readonly reason: string };
