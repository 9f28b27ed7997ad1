import { ServiceError } from '../../errors/service-error.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Model } from '../../model/model.ts';
import type { VisualEncoder } from '../../encoding/request.ts';
import type { EndpointHandler } from './app.ts';
import { docsPage, docsPolicy } from './docs-page.ts';
import { openApi } from './openapi/document.ts';
import { answerPlan } from './plan-route.ts';
import type { EncodeEndpoint, Endpoint } from './routes.ts';

/** Handlers of everything that answers no tokens. `draining` makes /readyz say no whatever the encoder says. */
export function systemHandlers(settings: {
  readonly encoder: VisualEncoder;
  readonly metrics: Metrics;
  readonly draining: () => boolean;
}): Record<Exclude<Endpoint, EncodeEndpoint>, EndpointHandler> {
  const { encoder, metrics, draining } = settings;
  const description = JSON.stringify(openApi());
  return {
    healthz: (_request, _reply, exchange) => exchange.sendJson({ status: 'ok' }),
    readyz: (_request, _reply, exchange) => {
      if (draining()) throw new ServiceError('unavailable', 'The service is stopping.');
      if (!encoder.ready())
        throw new ServiceError(
          'unavailable',
          'The service is not ready: its models are being loaded, it is about to stop, or an engine is down.',
        );
      exchange.sendJson({ status: 'ready' });
    },
    plan: (request, _reply, exchange) => answerPlan(request, exchange, encoder),
    models: (_request, _reply, exchange) =>
      exchange.sendJson({ models: encoder.models().map((model, index) => modelFields(model, index === 0)) }),
    metrics: async (_request, _reply, exchange) => {
      const { contentType, text } = await metrics.expose();
      exchange.sendText(contentType, text);
    },
    openapi: (_request, _reply, exchange) => exchange.sendText('application/json', description),
    docs: (_request, _reply, exchange) =>
      exchange.sendText('text/html; charset=utf-8', docsPage, {
        'content-security-policy': docsPolicy,
        'referrer-policy': 'no-referrer',
      }),
  };
}

/** A model as callers see it: not where it lies. */
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
    precision: model.precision,
    resample: model.resample,
    resize: model.resize,
  };
}
