import { invalidArgument } from '../errors/invalid-argument.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { TokenOutput } from '../recipes/plan.ts';
import { sameLayers, stateIndex } from './feature-layer.ts';
import type { FeatureLayer, Model } from './model.ts';

/** What is needed of a model to tell what it gives. */
export type OutputModel = Pick<Model, 'name' | 'features' | 'projector'> &
  Partial<Pick<Model, 'architecture' | 'layers' | 'outputs' | 'precision' | 'graphs'>>;

/** What a request wants of a model. */
interface WantedOutputs {
  readonly output?: TokenOutput;
  readonly features?: readonly FeatureLayer[];
  readonly classToken?: boolean;
}

/**
 * Throws `failed_precondition` for what the model does not give, with the command that imports it so that it does.
 * Throws `invalid_argument` for embeddings of other layers than the projector takes.
 */
export function requireOutputs(model: OutputModel, wanted: WantedOutputs): void {
  const { output = 'features', features = [model.features], classToken = false } = wanted;
  if (output === 'embeddings') {
    requireProjected(model, features);
    return;
  }
  if (output === 'pooled') {
    if (model.outputs?.pooledChannels === undefined) throw lacks(model, 'no pooled vector', { pooled: true });
    return;
  }
  requireLayers(model, features);
  if (!classToken || model.outputs?.classToken === true) return;
  if (model.architecture === 'siglip') {
    throw new ServiceError(
      'failed_precondition',
      `The model "${model.name}" is a SigLIP, which has no class token: leave class_token out.`,
    );
  }
  throw lacks(model, 'no class token among its tokens', { classToken: true });
}

function requireProjected({ name, features, projector }: OutputModel, asked: readonly FeatureLayer[]): void {
  if (projector === undefined) {
    throw new ServiceError(
      'failed_precondition',
      `The model "${name}" has no projector, so it gives no embeddings. For embeddings, import a whole VLM checkpoint, or a ` +
        'tower with --projector SOURCE.',
    );
  }
  if (sameLayers(asked, [features])) return;
  throw invalidArgument(
    `The projector of the model "${name}" takes ${features} alone: leave features out for output=embeddings.`,
  );
}

function requireLayers(model: OutputModel, asked: readonly FeatureLayer[]): void {
  const given = model.outputs?.features ?? [model.features];
  const missing = asked.filter((layer) => !given.includes(layer));
  if (missing.length === 0) return;
  const { name, layers } = model;
  const impossible = missing.find((layer) => layers !== undefined && stateIndex(layer, layers) < 0);
  if (impossible !== undefined && layers !== undefined) {
    throw new ServiceError(
      'failed_precondition',
      `The model "${name}" has ${layers} layers, so its hidden states are -1 to ${-layers - 1}, and ${impossible} is none.`,
    );
  }
  throw lacks(model, `no ${missing.join(', ')}, only ${given.join(', ')}`, { missing });
}

/** The refusal of what another import of the same checkpoint would give. */
function lacks(
  { name, features, outputs, precision = 'fp32', graphs }: OutputModel,
  what: string,
  added: {
    readonly missing?: readonly FeatureLayer[];
    readonly classToken?: boolean;
    readonly pooled?: boolean;
  },
): ServiceError {
  const layers = [...(outputs?.features ?? [features]), ...(added.missing ?? [])];
  const flags = [
    `--features ${layers.join(',')}`,
    ...(added.classToken || outputs?.classToken ? ['--class-token'] : []),
    ...(added.pooled || outputs?.pooledChannels !== undefined ? ['--pooled'] : []),
    ...(precision === 'fp16' || precision === 'int8' ? [`--precision ${precision}`] : []),
  ];
  const source = graphs === undefined ? '' : ' of the checkpoint that it was exported from';
  return new ServiceError(
    'failed_precondition',
    `The model "${name}" has ${what}. An import${source} adds it: siglip-hd import SOURCE --out FOLDER ${flags.join(' ')}`,
  );
}
