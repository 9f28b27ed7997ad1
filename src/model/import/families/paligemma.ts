import type { Family } from './family.ts';
import { textWidth } from './text-width.ts';

/**
 * PaliGemma 1 and 2: one matrix product on the features after the last norm. Its embeddings are not divided by the
 * square root of their width, as in transformers 5.
 */
export const paligemma: Family = {
  name: 'paligemma',
  matches: (config) => config.get('model_type') === 'paligemma',
  tensors: /(?:^|\.)multi_modal_projector\./,
  read: (config) => ({
    features: 'last_hidden_state',
    linears: [{ weight: 'multi_modal_projector.linear.weight', bias: 'multi_modal_projector.linear.bias' }],
    languageWidth: textWidth(config),
  }),
};
