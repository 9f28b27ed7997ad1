import type { Logger } from 'pino';
import type { Tracing } from './trace.ts';
import { wantedTracing } from './otel-variables.ts';

/**
 * Traces as the environment asks for them. Where it does not, nothing of OpenTelemetry is loaded. Throws as
 * wantedTracing does.
 */
export async function openTracing(
  env: NodeJS.ProcessEnv,
  version: string,
  logger: Logger,
): Promise<Tracing | undefined> {
  const protocol = wantedTracing(env);
  if (protocol === undefined) return undefined;
  const { openOtlpTracing } = await import('./otlp-tracing.ts');
  return await openOtlpTracing(protocol, version, logger);
}
