import type { Logger } from 'pino';
import type { Endpoint } from '../inference/remote/endpoint.ts';
import { engineNames } from '../inference/remote/start-remote-engines.ts';
import type { ServeModelOptions } from '../inference/served-model.ts';
import type { EncoderConfig, RemoteConfig } from './encoder-config.ts';
import type { EncoderReports } from './encoder-observer.ts';

export function endpointsOf(remote: RemoteConfig | undefined, name: string): readonly Endpoint[] {
  return remote?.engines.flatMap(({ model, endpoint }) => (model === name ? [endpoint] : [])) ?? [];
}

/** The servers of a model, and what to log, count and keep of their outages; undefined if it has none. */
export function remoteOf(
  { remote, stopping }: EncoderConfig,
  name: string,
  { observer, logger, outages }: EncoderReports,
): ServeModelOptions['remote'] {
  const endpoints = endpointsOf(remote, name);
  if (remote === undefined || endpoints.length === 0) return undefined;
  const worked = new Set<string>();
  const down = new Set<string>();
  const begin = (engine: string, reason: string) =>
    outages.set(`${name} ${engine}`, { model: name, engine, reason });
  for (const engine of engineNames(endpoints)) begin(engine, 'is not connected yet');
  return {
    ...remote,
    endpoints,
    stopping,
    onUp(engine, { server, largest, toldDigest }) {
      worked.add(engine);
      down.delete(engine);
      outages.delete(`${name} ${engine}`);
      const fields = { model: name, engine, server, largestBatch: largest, toldDigest };
      logger.info(fields, 'the remote engine works');
    },
    onDown(engine, { reason, cause }) {
      if (worked.delete(engine)) observer.observeRestart?.(name, engine);
      begin(engine, reason);
      logger.error(
        { model: name, engine, reason: cause.message },
        `the remote engine ${down.has(engine) ? 'still ' : ''}does not work; connecting again`,
      );
      down.add(engine);
    },
    onThreadError: (engine, error) =>
      logger.error({ model: name, engine, err: error }, "the remote engine's thread died; starting another"),
    onLate: (engine) => logLate(logger, name, engine),
  };
}

export function logLate(logger: Logger, model: string, engine: string): void {
  logger.warn({ model, engine }, 'the engine is late with a batch; another takes over, if one works');
}
