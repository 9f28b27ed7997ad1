import type { Environment } from '../config/machine.ts';
import { ServiceError } from '../errors.ts';

const protocols = ['grpc', 'http/protobuf'] as const;
export type Protocol = (typeof protocols)[number];

/**
 * By which protocol traces are to be sent, by the standard `OTEL_` variables; undefined where none are: unless an
 * exporter or an endpoint is named. Throws `invalid_argument` for what cannot be followed.
 */
export function wantedTracing(env: Environment): Protocol | undefined {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return undefined;
  const exporter = env['OTEL_TRACES_EXPORTER'];
  const endpoint = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  if (exporter === 'none' || (!exporter && !endpoint)) return undefined;
  if (exporter && exporter !== 'otlp') throw refusal('OTEL_TRACES_EXPORTER', exporter, ['otlp', 'none']);
  const variable = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL']
    ? 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'
    : 'OTEL_EXPORTER_OTLP_PROTOCOL';
  const protocol = env[variable] || 'http/protobuf';
  const known = protocols.find((one) => one === protocol);
  if (known === undefined) throw refusal(variable, protocol, protocols);
  return known;
}

function refusal(variable: string, value: string, known: readonly string[]): ServiceError {
  return new ServiceError(
    'invalid_argument',
    `${variable} is ${JSON.stringify(value)}; it must be one of ${known.join(', ')}.`,
  );
}
