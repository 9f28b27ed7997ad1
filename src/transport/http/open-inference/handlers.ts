import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../../../errors/service-error.ts';
import type { EndpointHandler } from '../app.ts';
import { sendJson } from '../send-json.ts';
import type { OpenInferenceEndpoint } from '../routes.ts';
import { answerInfer, type InferRouteSettings } from './infer-route.ts';
import { modelOf } from './model-path.ts';

/** Handlers of the Open Inference Protocol. While `isDraining`, the service and its models are not ready. */
export function openInferenceHandlers(
  settings: InferRouteSettings,
  isDraining: () => boolean,
): Record<OpenInferenceEndpoint, EndpointHandler> {
  const { openInference } = settings;
  const requireReady = (isReady: boolean): void => {
    if (isDraining()) throw new ServiceError('unavailable', 'The service is stopping.');
    if (!isReady) throw new ServiceError('unavailable', 'The service is not ready.');
  };
  const ofModel =
    (answer: (name: string, version: string) => object): EndpointHandler =>
    (request, reply) => {
      const { modelName, modelVersion } = modelOf(request);
      send(reply, answer(modelName, modelVersion));
    };
  return {
    server_live: (_request, reply) => send(reply, { live: true }),
    server_ready: (_request, reply) => {
      requireReady(openInference.ready());
      send(reply, { ready: true });
    },
    server_metadata: (_request, reply) => send(reply, openInference.server()),
    model_ready: ofModel((name, version) => {
      requireReady(openInference.modelReady(name, version));
      return { name, ready: true };
    }),
    model_metadata: ofModel((name, version) => openInference.metadata(name, version)),
    model_config: ofModel((name, version) => openInference.config(name, version)),
    model_statistics: ofModel((name, version) => openInference.statistics(name, version)),
    // Its body may say {"ready": true}; a service without a repository has no use for the rest.
    model_index: (_request, reply) => send(reply, openInference.index(false)),
    infer: (request: FastifyRequest, reply: FastifyReply) => {
      if (isDraining()) throw new ServiceError('unavailable', 'The service is stopping.');
      return answerInfer(request, reply, settings);
    },
  };
}

function send(reply: FastifyReply, answer: object): void {
  sendJson(reply, JSON.stringify(snakeCase(answer)));
}

/** The same with its fields' names as JSON has them: data_type for dataType. */
function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      snakeCase(field),
    ]),
  );
}
