import type { Logger } from 'pino';
import { ServiceError } from '../errors/service-error.ts';
import { readTracingVariables } from './otel-variables.ts';
import type { Tracing } from './trace.ts';

/**
 * Opens tracing if the environment requests it, and logs a warning for each value that it ignores. Loads OpenTelemetry
 * only if it is needed.
 */
export async function openTracing(
  env: NodeJS.ProcessEnv,
  version: string,
  logger: Logger,
): Promise<Tracing | undefined> {
  const { protocol, warnings } = readTracingVariables(env);
  for (const warning of warnings) logger.warn(warning);
  if (protocol === undefined) return undefined;
  const { openExporter } = await import('./otlp-exporter.ts');
  const { logDiagnostics, openOtlpTracing } = await import('./otlp-tracing.ts');
  logDiagnostics(logger);
  try {
    return openOtlpTracing(await openExporter(protocol, env), version, logger);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    logger.warn(`traces are off: ${error.message}`);
    return undefined;
  }
}
