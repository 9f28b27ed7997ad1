import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTracingVariables } from '../../src/telemetry/otel-variables.ts';

type Env = Record<string, string>;

const endpoint = 'http://collector:4318';

test('traces are on where an exporter or an endpoint is named, by HTTP unless gRPC is asked for', () => {
  const cases: [Env, protocol: string | undefined][] = [
    [{}, undefined],
    [{ OTEL_SERVICE_NAME: 'tokens' }, undefined],
    [{ OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, undefined],
    [{ OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, undefined],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, undefined],
    [{ OTEL_TRACES_EXPORTER: 'otlp' }, 'http/protobuf'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, 'http/protobuf'],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: '', OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, 'http/protobuf'],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint }, 'http/protobuf'],
    [{ OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'grpc'],
    [
      {
        OTEL_TRACES_EXPORTER: 'otlp',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc',
      },
      'grpc',
    ],
    // Enumerations are not sensitive to case.
    [{ OTEL_TRACES_EXPORTER: 'OTLP', OTEL_EXPORTER_OTLP_PROTOCOL: 'GRPC' }, 'grpc'],
    [{ OTEL_TRACES_EXPORTER: 'None', OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, undefined],
    [{ OTEL_SDK_DISABLED: 'True', OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, undefined],
    // gRPC has targets that are no addresses.
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'grpc'],
  ];
  for (const [env, protocol] of cases) {
    assert.deepEqual(readTracingVariables({ ...env }), { protocol, warnings: [] }, JSON.stringify(env));
  }
});

test('a value that is not recognised counts as not set, and one sentence says so', () => {
  const whole = 'is ignored: it must be a whole number above 0';
  const cases: [name: string, value: string, warning: string][] = [
    [
      'OTEL_TRACES_SAMPLER',
      'xray',
      'OTEL_TRACES_SAMPLER=xray is ignored: it must be one of always_on, parentbased_always_on, always_off, ' +
        'parentbased_always_off, traceidratio, parentbased_traceidratio',
    ],
    [
      'OTEL_EXPORTER_OTLP_PROTOCOL',
      'http/json',
      'OTEL_EXPORTER_OTLP_PROTOCOL=http/json is ignored: it must be grpc or http/protobuf',
    ],
    [
      'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL',
      'thrift',
      'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=thrift is ignored: it must be grpc or http/protobuf',
    ],
    [
      'OTEL_EXPORTER_OTLP_COMPRESSION',
      'zstd',
      'OTEL_EXPORTER_OTLP_COMPRESSION=zstd is ignored: it must be gzip or none',
    ],
    ['OTEL_SDK_DISABLED', '1', 'OTEL_SDK_DISABLED=1 is ignored: it must be true or false'],
    ['OTEL_BSP_MAX_QUEUE_SIZE', '-1', `OTEL_BSP_MAX_QUEUE_SIZE=-1 ${whole}`],
    ['OTEL_BSP_SCHEDULE_DELAY', '5s', `OTEL_BSP_SCHEDULE_DELAY=5s ${whole}`],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', '0', `OTEL_EXPORTER_OTLP_TIMEOUT=0 ${whole}`],
    ['OTEL_SPAN_LINK_COUNT_LIMIT', 'many', `OTEL_SPAN_LINK_COUNT_LIMIT=many ${whole}`],
    [
      'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
      'user:secret@collector:4318',
      'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=...@collector:4318 is ignored: it must be an address such as http://collector:4318',
    ],
  ];
  for (const [name, value, warning] of cases) {
    const env: Env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, [name]: value };
    assert.deepEqual(readTracingVariables(env), { protocol: 'http/protobuf', warnings: [warning] });
    assert.ok(!(name in env), "OpenTelemetry's libraries do not see it");
    assert.equal(env['OTEL_EXPORTER_OTLP_ENDPOINT'], endpoint);
  }
});

test("the general variable holds where the signal's own is not recognised", () => {
  const env = {
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'thrift',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
  };
  assert.equal(readTracingVariables(env).protocol, 'grpc');
});

test('takes OTLP of several exporters, and an unknown exporter does not turn traces on', () => {
  const warning = (value: string, unknown: string) =>
    `OTEL_TRACES_EXPORTER=${value}: ${unknown} is ignored; it must be otlp or none`;
  for (const [env, protocol, warnings] of [
    [{ OTEL_TRACES_EXPORTER: 'zipkin' }, undefined, [warning('zipkin', 'zipkin')]],
    [{ OTEL_TRACES_EXPORTER: 'console, otlp' }, 'http/protobuf', [warning('console, otlp', 'console')]],
    [
      { OTEL_TRACES_EXPORTER: 'jaeger', OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
      'http/protobuf',
      [warning('jaeger', 'jaeger')],
    ],
  ] as const) {
    assert.deepEqual(readTracingVariables({ ...env }), { protocol, warnings });
  }
});

test('an endpoint that is not an address does not turn traces on', () => {
  const { protocol, warnings } = readTracingVariables({ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' });
  assert.equal(protocol, undefined);
  assert.equal(warnings.length, 1);
});

test('checks the argument of samplers that take a ratio, and of no other', () => {
  const read = (sampler: string, argument: string) => {
    const env: Env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_TRACES_SAMPLER: sampler,
      OTEL_TRACES_SAMPLER_ARG: argument,
    };
    const { warnings } = readTracingVariables(env);
    return { warnings, env };
  };
  for (const argument of ['10%', '7', '-0.1']) {
    const { warnings, env } = read('ParentBased_TraceIdRatio', argument);
    assert.deepEqual(warnings, [
      `OTEL_TRACES_SAMPLER_ARG=${argument} is ignored: it must be a number from 0 to 1`,
    ]);
    assert.equal(env['OTEL_TRACES_SAMPLER'], 'parentbased_traceidratio', 'as the libraries spell it');
  }
  for (const argument of ['0', '1', '0.1', '.5', '1.0']) {
    assert.deepEqual(read('traceidratio', argument).warnings, []);
  }
  assert.equal(read('xray', 'endpoint=http://localhost:2000').warnings.length, 1, 'of the sampler alone');
});

test('warns of nothing where traces are off', () => {
  assert.deepEqual(readTracingVariables({ OTEL_TRACES_SAMPLER: 'xray' }), {
    protocol: undefined,
    warnings: [],
  });
});
