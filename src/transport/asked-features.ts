import { ServiceError } from '../errors/service-error.ts';
import { layerPattern, readFeatureLayers } from '../model/feature-layer.ts';
import { type FeatureLayer, featureLayers } from '../model/model.ts';

/** What an option that names hidden states accepts. */
export const layerList = {
  pattern: `${layerPattern}(?:,${layerPattern})*`,
  form: `${featureLayers.join(', ')} or a number from the end such as -3, or several of them separated by commas`,
} as const;

/**
 * The hidden states that the option `features` names. Throws `invalid_argument` where one is named twice, and where the output
 * has no choice of them or no class token.
 */
export function askedFeatures(
  record: Readonly<Record<string, string | undefined>>,
  noun: 'option' | 'parameter',
): readonly FeatureLayer[] | undefined {
  const { features: text, class_token: classToken, output } = record;
  if (output === 'pooled' && (text !== undefined || classToken === 'true')) {
    const given = classToken === 'true' ? 'class_token' : 'features';
    throw new ServiceError(
      'invalid_argument',
      `output=pooled is one vector, made of the last hidden state: leave ${given} out, or use output=features.`,
    );
  }
  if (output === 'embeddings' && classToken === 'true') {
    throw new ServiceError(
      'invalid_argument',
      'output=embeddings has no class token: leave class_token out, or use output=features.',
    );
  }
  return namedLayers('features', text, noun);
}

/** The hidden states in the value of an option. Throws `invalid_argument` where one is named twice. */
export function namedLayers(
  name: string,
  text: string | undefined,
  noun: 'option' | 'parameter',
): readonly FeatureLayer[] | undefined {
  if (text === undefined) return undefined;
  const layers = readFeatureLayers(text);
  if (layers !== undefined) return layers;
  throw new ServiceError(
    'invalid_argument',
    `${noun === 'option' ? 'Option' : 'Parameter'} ${name} is "${text.slice(0, 80)}", which names a hidden state twice: -1 is ` +
      'pre_norm, and -2 is penultimate.',
  );
}
