import type { VisualEncoder } from '../../encoding/request.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { Model } from '../../model/model.ts';
import type { Projector } from '../../model/projector.ts';
import type { AnyresDefinition } from '../../recipes/plan-model.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { EndpointHandler } from './app.ts';
import { answerDocs } from './docs-page.ts';
import { answerPlan } from './plan-route.ts';
import { answerPlayground } from './playground.ts';
import type { EncodeEndpoint, Endpoint, OpenInferenceEndpoint } from './routes.ts';
import { sendJson } from './send-json.ts';

/** Handlers of the endpoints that return no tokens. While `isDraining`, /readyz fails even if the encoder is ready. */
export function systemHandlers(settings: {
  readonly encoder: VisualEncoder;
  readonly metrics: Metrics;
  readonly isDraining: () => boolean;
  /** The package's version. */
  readonly version: string;
  /** That of the service; undefined until it listens. */
  readonly grpcPort: () => number | undefined;
}): Record<Exclude<Endpoint, EncodeEndpoint | OpenInferenceEndpoint>, EndpointHandler> {
  const { encoder, metrics, isDraining, version, grpcPort } = settings;
  let description: string | undefined;
  return {
    healthz: (_request, reply) => sendJson(reply, '{"status":"ok"}'),
    readyz: (_request, reply) => {
      if (isDraining()) throw new ServiceError('unavailable', 'The service is stopping.');
      if (!encoder.ready()) {
        throw new ServiceError('unavailable', `The service is not ready: ${whyNotReady(encoder)}.`);
      }
      sendJson(reply, JSON.stringify({ status: 'ready', engines: encoder.engines() }));
    },
    plan: (request, reply) => answerPlan(request, reply, encoder),
    models: (_request, reply) => {
      const models = encoder.models().map((model, index) => modelFields(model, index === 0));
      sendJson(reply, JSON.stringify({ models }));
    },
    metrics: async (_request, reply) => {
      const { contentType, text } = await metrics.expose();
      return reply.type(contentType).send(text);
    },
    openapi: async (_request, reply) => {
      const { openApi } = await import('./openapi/document.ts');
      description ??= JSON.stringify(openApi(version));
      sendJson(reply, description);
      return reply;
    },
    docs: answerDocs,
    playground: answerPlayground(grpcPort),
  };
}

/** A model as callers see it, without its folder. */
function modelFields(model: Model, isDefault: boolean): Record<string, unknown> {
  return {
    name: model.name,
    default: isDefault,
    digest: model.digest,
    architecture: model.architecture,
    trained: model.trained,
    image_size: model.imageSize,
    patch_size: model.patchSize,
    grid: { width: model.grid.width, height: model.grid.height },
    tokens: model.grid.width * model.grid.height,
    channels: model.channels,
    layers: model.layers,
    features: model.features,
    feature_layers: model.outputs?.features ?? [model.features],
    class_token: model.outputs?.classToken ?? false,
    ...(model.outputs?.pooledChannels === undefined ? {} : { pooled_channels: model.outputs.pooledChannels }),
    precision: model.precision,
    resample: model.resample,
    resize: model.resize,
    ...(model.projector === undefined ? {} : { projector: projectorFields(model.projector) }),
    ...(model.anyres === undefined ? {} : { anyres: anyresFields(model.anyres) }),
  };
}

function projectorFields({ family, digest, hiddenSize, grid, anyGrid, newline }: Projector) {
  const { width, height } = grid;
  const geometry = { grid: { width, height }, any_grid: anyGrid, newline };
  return { family, digest, hidden_size: hiddenSize, tokens: width * height, ...geometry };
}

function anyresFields({ grids, resample, maxTiles }: AnyresDefinition) {
  return { grids: grids.map(({ columns, rows }) => ({ columns, rows })), resample, max_tiles: maxTiles };
}

function whyNotReady(encoder: VisualEncoder): string {
  const waits = encoder
    .outages()
    .map(({ model, engine, reason }) => `the model "${model}" waits for ${engine} (${reason})`);
  if (waits.length > 0) return waits.join(', ');
  const { up, total } = encoder.engines();
  if (total === 0) return 'its models are loading';
  return up === total ? 'it is about to stop' : 'it is about to stop, or no engine of a model works';
}
