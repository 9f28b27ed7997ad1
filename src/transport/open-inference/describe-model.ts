import type { ModelConfig, ModelMetadataResponse } from '../../open-inference/generated/open-inference.ts';
import type { Model } from '../../model/model.ts';
import type { TokenOutput } from '../../recipes/plan.ts';
import { outputNames, outputsOf } from './asked-inference.ts';
import { modelVersion } from './infer-request.ts';
import { inputNames } from './read-images.ts';

/** The name of the service, of its platform and of its backend. */
export const platform = 'siglip-hd';

/** The protocol's extensions that the service supports. */
export const extensions = [
  'binary_tensor_data',
  'model_configuration',
  'parameters',
  'schedule_policy',
  'statistics',
];

/** Shapes are those of recipe=encode; -1 is the number of images. Pixels of other sizes are resized. */
export function metadataOf(model: Model) {
  const { imageSize } = model;
  return {
    name: model.name,
    versions: [modelVersion],
    platform,
    inputs: [
      { name: inputNames.files, datatype: 'BYTES', shape: [-1, 1] },
      { name: inputNames.pixels, datatype: 'UINT8', shape: [-1, imageSize, imageSize, 3] },
    ],
    outputs: tensorsOf(model).map(({ name, sides }) => ({ name, datatype: 'FP16', shape: [-1, ...sides] })),
  } satisfies ModelMetadataResponse;
}

/** A model as Triton's model configuration. A request has one of the inputs, so each is optional. */
export function configOf(model: Model, maxImages: number) {
  const { imageSize, digest, features, precision, projector } = model;
  const parameters = {
    digest,
    features,
    precision,
    ...(projector === undefined ? {} : { projector_digest: projector.digest }),
  };
  return {
    name: model.name,
    platform,
    backend: platform,
    maxBatchSize: maxImages,
    input: [
      { name: inputNames.files, dataType: 'TYPE_STRING', format: 'FORMAT_NONE', dims: [1], optional: true },
      {
        name: inputNames.pixels,
        dataType: 'TYPE_UINT8',
        format: 'FORMAT_NHWC',
        dims: [imageSize, imageSize, 3],
        optional: true,
      },
    ],
    output: tensorsOf(model).map(({ name, sides }) => ({ name, dataType: 'TYPE_FP16', dims: sides })),
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([name, stringValue]) => [name, { stringValue }]),
    ),
  } satisfies ModelConfig;
}

function tensorsOf(model: Model) {
  return outputsOf(model).map((output) => ({ name: outputNames[output], sides: sidesOf(model, output) }));
}

function sidesOf({ grid, channels, projector, outputs }: Model, output: TokenOutput): number[] {
  switch (output) {
    case 'features':
      return [grid.width * grid.height, channels];
    case 'embeddings':
      return projector === undefined
        ? []
        : [projector.grid.width * projector.grid.height, projector.hiddenSize];
    case 'pooled':
      return [outputs?.pooledChannels ?? 0];
  }
}
