import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../../../errors/service-error.ts';
import type { EndpointHandler } from '../app.ts';
import { invalid } from '../../open-inference/infer-request.ts';
import { parseJsonObject } from '../json-images.ts';
import { readBody } from '../read-body.ts';
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
    model_index: async (request, reply) =>
      send(reply, openInference.index(await asksForReady(request, reply))),
    infer: (request: FastifyRequest, reply: FastifyReply) => {
      if (isDraining()) throw new ServiceError('unavailable', 'The service is stopping.');
      return answerInfer(request, reply, settings);
    },
  };
}

const maxIndexBytes = 1024;
const indexShape = '{"ready": true}';

/** Whether a request for the index asks for the models that are ready alone. Its body may be empty. */
async function asksForReady(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
  const body = await readBody(request, reply, maxIndexBytes, indexTooLarge);
  if (body.byteLength === 0) return false;
  const { ready = false } = parseJsonObject(Buffer.from(body), indexShape);
  if (typeof ready === 'boolean') return ready;
  throw invalid('ready must be true or false.');
}

function indexTooLarge(maxBytes: number): ServiceError {
  return new ServiceError('too_large', `The body is over ${maxBytes} bytes: send ${indexShape} or no body.`);
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
