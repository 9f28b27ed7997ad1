import { readFeatureLayers, stateIndex } from './feature-layer.ts';
import type { JsonObject } from './json-object.ts';
import { type FeatureLayer, featureLayers, type ModelOutputs } from './model.ts';

/** Reads a hidden state of a tower with so many layers; `invalid_argument`, naming the field, for any other value. */
export function parseLayer(json: JsonObject, key: string, value: unknown, layers: number): FeatureLayer {
  const [layer, ...more] = (typeof value === 'string' ? readFeatureLayers(value) : undefined) ?? [];
  if (layer !== undefined && more.length === 0 && stateIndex(layer, layers) >= 0) return layer;
  throw json.fault(
    key,
    `a hidden state of ${layers} layers: ${featureLayers.join(', ')}, or a number down to ${-layers - 1}`,
  );
}

/** Reads `outputs` of model.json; `invalid_argument`, naming the field, where one does not fit. */
export function parseOutputs(json: JsonObject, first: unknown, layers: number): ModelOutputs {
  const features = json.strings('features').map((one) => parseLayer(json, 'features', one, layers));
  if (features[0] !== first || new Set(features).size < features.length) {
    throw json.fault('features', 'hidden states, each once and the default first');
  }
  return {
    features,
    classToken: json.boolean('classToken'),
    ...(json.has('pooledChannels')
      ? { pooledChannels: json.integer('pooledChannels', { min: 1, max: 16_384 }) }
      : {}),
  };
}

/** What the digest has of them. */
export function outputsParts({ features, classToken, pooledChannels }: ModelOutputs): unknown[] {
  return [features, classToken, pooledChannels ?? null];
}
