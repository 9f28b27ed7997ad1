import type { RecipeOptions } from '../recipes/recipe-options.ts';

/** How a transport's sentences name options. */
export interface OptionWords {
  readonly noun: 'option' | 'parameter';
  /** What has the options of a recipe. */
  readonly ownerOf: (recipe: RecipeOptions['recipe']) => string;
  /** Options that callers cannot give, so that no sentence lists them. */
  readonly unlisted: readonly string[];
}

/** Callers of the service's own interfaces know a recipe by its route. */
export const usualWords: OptionWords = {
  noun: 'option',
  ownerOf: (recipe) => (recipe === 'encode' ? '/v1/encode' : `/v1/${recipe}-encode`),
  unlisted: [],
};
