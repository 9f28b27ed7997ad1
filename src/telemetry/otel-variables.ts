const protocols = ['grpc', 'http/protobuf'] as const;
export type OtlpProtocol = (typeof protocols)[number];

/** What the standard `OTEL_` variables say about traces. */
export interface TracingVariables {
  /** How to send traces; undefined if they are off. */
  readonly protocol: OtlpProtocol | undefined;
  /** A sentence for each value that is ignored. */
  readonly warnings: readonly string[];
}

/**
 * Reads the standard `OTEL_` variables. Traces are on if they name an exporter or an endpoint. A value that is not
 * recognised counts as not set, as OpenTelemetry's specification asks: it is removed from `env`, since OpenTelemetry's
 * libraries read the same variables, and `warnings` names it. Recognised names are written back in lower case.
 */
export function readTracingVariables(env: NodeJS.ProcessEnv): TracingVariables {
  const warnings: string[] = [];
  const read = ({ name, normalise, expected }: Variable): string | undefined => {
    const value = env[name]?.trim();
    if (!value) return undefined;
    const recognised = normalise(value);
    if (recognised === undefined) {
      // An address may hold a password.
      warnings.push(`${name}=${value.replace(/^.*@/, '...@')} is ignored: it must be ${expected}`);
      delete env[name];
    } else env[name] = recognised;
    return recognised;
  };
  if (read({ name: 'OTEL_SDK_DISABLED', ...oneOf(['true', 'false']) }) === 'true') return off(warnings);
  const exporter = readExporter(env, warnings);
  if (exporter === 'none') return off(warnings);
  const isNamed = (name: string) => Boolean(env[name]?.trim());
  if (exporter === undefined && !endpointVariables.some(isNamed)) return off(warnings);
  const named = protocolVariables.map((name) => read({ name, ...oneOf(protocols) }));
  const protocol = protocols.find((one) => one === (named[0] ?? named[1])) ?? 'http/protobuf';
  // gRPC accepts any target.
  if (protocol === 'http/protobuf') for (const name of endpointVariables) read({ name, ...address });
  for (const variable of variables) read(variable);
  if (env['OTEL_TRACES_SAMPLER']?.endsWith('traceidratio'))
    read({ name: 'OTEL_TRACES_SAMPLER_ARG', ...share });
  const isOn = exporter !== undefined || endpointVariables.some(isNamed);
  return isOn ? { protocol, warnings } : off(warnings);
}

/** The endpoint for traces, as written; undefined for the protocol's default. */
export function tracesEndpoint(env: NodeJS.ProcessEnv): string | undefined {
  return endpointVariables.map((name) => env[name]?.trim()).find(Boolean);
}

function off(warnings: readonly string[]): TracingVariables {
  return { protocol: undefined, warnings };
}

/** Reads a list of exporters. Only OTLP is supported. */
function readExporter(env: NodeJS.ProcessEnv, warnings: string[]): 'otlp' | 'none' | undefined {
  const name = 'OTEL_TRACES_EXPORTER';
  const value = env[name]?.trim();
  if (!value) return undefined;
  const exporters = value.split(',').map((one) => one.trim().toLowerCase());
  const unknown = exporters.filter((one) => one !== 'otlp' && one !== 'none');
  if (unknown.length > 0)
    warnings.push(`${name}=${value}: ${unknown.join(', ')} is ignored; it must be otlp or none`);
  return (['otlp', 'none'] as const).find((one) => exporters.includes(one));
}

interface Kind {
  /** The value as OpenTelemetry's libraries expect it; undefined if it is not recognised. */
  readonly normalise: (value: string) => string | undefined;
  readonly expected: string;
}

interface Variable extends Kind {
  readonly name: string;
}

function oneOf(names: readonly string[]): Kind {
  const normalise = (value: string) => names.find((name) => name === value.toLowerCase());
  return { normalise, expected: names.length === 2 ? names.join(' or ') : `one of ${names.join(', ')}` };
}

function matching(expected: string, isGood: (value: string) => boolean): Kind {
  return { normalise: (value) => (isGood(value) ? value : undefined), expected };
}

const address = matching(
  'an address such as http://collector:4318',
  (value) => /^https?:\/\//i.test(value) && URL.canParse(value),
);
const count = matching('a whole number above 0', (value) => /^[0-9]{1,9}$/.test(value) && Number(value) > 0);
const share = matching('a number from 0 to 1', (value) => Number(value) >= 0 && Number(value) <= 1);
const samplers = ['always_on', 'always_off', 'traceidratio'].flatMap((name) => [name, `parentbased_${name}`]);

/** The variable for traces takes precedence over the general one. */
const endpointVariables = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'] as const;
const protocolVariables = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL'] as const;

const compression = oneOf(['gzip', 'none']);

/** The variables whose bad values OpenTelemetry's libraries accept, or report only with the first trace. */
const variables: readonly Variable[] = [
  { name: 'OTEL_TRACES_SAMPLER', ...oneOf(samplers) },
  { name: 'OTEL_EXPORTER_OTLP_COMPRESSION', ...compression },
  { name: 'OTEL_EXPORTER_OTLP_TRACES_COMPRESSION', ...compression },
  { name: 'OTEL_EXPORTER_OTLP_TIMEOUT', ...count },
  { name: 'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', ...count },
  { name: 'OTEL_BSP_MAX_QUEUE_SIZE', ...count },
  { name: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', ...count },
  { name: 'OTEL_BSP_SCHEDULE_DELAY', ...count },
  { name: 'OTEL_BSP_EXPORT_TIMEOUT', ...count },
  { name: 'OTEL_ATTRIBUTE_COUNT_LIMIT', ...count },
  { name: 'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT', ...count },
  { name: 'OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT', ...count },
  { name: 'OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT', ...count },
  { name: 'OTEL_SPAN_LINK_COUNT_LIMIT', ...count },
];
