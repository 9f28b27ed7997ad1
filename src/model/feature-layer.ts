import type { TokenOutput } from '../recipes/plan.ts';
import { featureLayers, type FeatureLayer } from './model.ts';

/** A regular expression for one hidden state as people write it. */
export const layerPattern = `(?:${featureLayers.join('|')}|-[1-9][0-9]{0,2})`;

const wholeList = new RegExp(`^${layerPattern}(?:,${layerPattern})*$`);

/**
 * Reads hidden states that are separated by commas, each with one name: -1 is pre_norm and -2 penultimate, as in
 * transformers' `hidden_states`. Undefined for text that is no such list, or that names one of them twice.
 */
export function readFeatureLayers(text: string): readonly FeatureLayer[] | undefined {
  if (!wholeList.test(text)) return undefined;
  const layers = text.split(',').map(layerOf);
  return new Set(layers).size === layers.length ? layers : undefined;
}

/** The hidden state that transformers' `hidden_states` have at `index`, of a tower with so many layers. */
export function layerAt(index: number, layers: number): FeatureLayer {
  return layerOf(String(index - layers - 1));
}

/**
 * Where transformers' `hidden_states` have a hidden state: 0 is the embedding, and `layers` the output of the last layer, on
 * which last_hidden_state has its norm. Negative for one that a tower with so many layers does not have.
 */
export function stateIndex(layer: FeatureLayer, layers: number): number {
  switch (layer) {
    case 'last_hidden_state':
    case 'pre_norm':
      return layers;
    case 'penultimate':
      return layers - 1;
    default:
      return layers + 1 + Number(layer);
  }
}

/** Whether two lists name the same hidden states in the same order. */
export function sameLayers(some: readonly FeatureLayer[], others: readonly FeatureLayer[]): boolean {
  return some.join() === others.join();
}

/** The hidden states of which an answer is made, as its metadata names them. Pooling takes last_hidden_state, whatever is asked. */
export function answeredLayers(output: TokenOutput, features: readonly FeatureLayer[]): string {
  return output === 'pooled' ? 'last_hidden_state' : features.join(',');
}

function layerOf(name: string): FeatureLayer {
  if (name === '-1') return 'pre_norm';
  if (name === '-2') return 'penultimate';
  return name as FeatureLayer;
}
