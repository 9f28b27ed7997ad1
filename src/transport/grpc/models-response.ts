import type { Model } from '../../model/model.ts';
import { featureNumbers, type ListModelsResponseMessage, type ModelMessage } from './messages.ts';

/** ListModelsResponse for the served models; a model's folder stays here. */
export function modelsResponse(models: readonly Model[]): ListModelsResponseMessage {
  return { models: models.map(modelMessage) };
}

function modelMessage(model: Model): ModelMessage {
  return {
    name: model.name,
    digest: model.digest,
    architecture: model.architecture,
    trained: model.trained,
    imageSize: model.imageSize,
    patchSize: model.patchSize,
    grid: model.grid,
    channels: model.channels,
    layers: model.layers,
    features: featureNumbers[model.features],
    precision: model.precision,
    resample: model.resample,
    resize: model.resize,
  };
}
