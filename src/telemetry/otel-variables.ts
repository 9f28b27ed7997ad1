import { ServiceError } from '../errors/service-error.ts';

const protocols = ['grpc', 'http/protobuf'] as const;
export type Protocol = (typeof protocols)[number];

/**
 * By which protocol traces are to be sent, by the standard `OTEL_` variables; undefined where none are: unless an
 * exporter or an endpoint is named. Throws `invalid_argument` for what cannot be followed.
 */
export function wantedTracing(env: NodeJS.ProcessEnv): Protocol | undefined {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return undefined;
  const exporter = env['OTEL_TRACES_EXPORTER'];
  const endpoint = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  if (exporter === 'none' || (!exporter && !endpoint)) return undefined;
  if (exporter && exporter !== 'otlp') throw refusal('OTEL_TRACES_EXPORTER', exporter, ['otlp', 'none']);
  const variable = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL']
    ? 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'
    : 'OTEL_EXPORTER_OTLP_PROTOCOL';
  const protocol = env[variable] || 'http/protobuf';
  const known = protocols.find((one) => one === protocol);
  if (known === undefined) throw refusal(variable, protocol, protocols);
  for (const [name, isGood, what] of checks) {
    const value = env[name];
    if (value && !isGood(value)) {
      throw new ServiceError('invalid_argument', `${name} is ${JSON.stringify(value)}; it must be ${what}.`);
    }
  }
  return known;
}

const isAddress = (text: string): boolean => /^https?:\/\//i.test(text) && URL.canParse(text);
const isCompression = (text: string): boolean => ['gzip', 'none'].includes(text);
const isCount = (text: string): boolean => /^[0-9]{1,9}$/.test(text) && Number(text) > 0;
const isSampler = (text: string): boolean => samplers.includes(text);
const isShare = (text: string): boolean => text.trim() !== '' && Number(text) >= 0 && Number(text) <= 1;
const address = 'an address such as http://collector:4318';
const compression = 'one of gzip, none';
const count = 'a whole number above 0';
const samplers = ['always_on', 'always_off', 'traceidratio'].flatMap((each) => [each, `parentbased_${each}`]);

/** What OpenTelemetry's own libraries would pass over, or complain of at the first trace. */
const checks: readonly (readonly [name: string, isGood: (value: string) => boolean, what: string])[] = [
  ['OTEL_TRACES_SAMPLER', isSampler, `one of ${samplers.join(', ')}`],
  ['OTEL_TRACES_SAMPLER_ARG', isShare, 'a share from 0 to 1'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', isAddress, address],
  ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', isAddress, address],
  ['OTEL_EXPORTER_OTLP_COMPRESSION', isCompression, compression],
  ['OTEL_EXPORTER_OTLP_TRACES_COMPRESSION', isCompression, compression],
  ['OTEL_EXPORTER_OTLP_TIMEOUT', isCount, count],
  ['OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', isCount, count],
  ['OTEL_BSP_MAX_QUEUE_SIZE', isCount, count],
  ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', isCount, count],
  ['OTEL_BSP_SCHEDULE_DELAY', isCount, count],
  ['OTEL_BSP_EXPORT_TIMEOUT', isCount, count],
];

function refusal(variable: string, value: string, known: readonly string[]): ServiceError {
  return new ServiceError(
    'invalid_argument',
    `${variable} is ${JSON.stringify(value)}; it must be one of ${known.join(', ')}.`,
  );
}
