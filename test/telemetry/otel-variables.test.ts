import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wantedTracing } from '../../src/telemetry/otel-variables.ts';

test('is wanted where an exporter or an endpoint is named, by HTTP unless gRPC is asked for', () => {
  const endpoint = 'http://collector:4318';
  const cases: [Record<string, string>, ReturnType<typeof wantedTracing>][] = [
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
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc',
      },
      'grpc',
    ],
  ];
  for (const [env, protocol] of cases) assert.equal(wantedTracing(env), protocol, JSON.stringify(env));
});

test('says what of the variables it cannot follow', () => {
  assert.throws(() => wantedTracing({ OTEL_TRACES_EXPORTER: 'zipkin' }), {
    code: 'invalid_argument',
    message: 'OTEL_TRACES_EXPORTER is "zipkin"; it must be one of otlp, none.',
  });
  assert.throws(
    () => wantedTracing({ OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }),
    { message: 'OTEL_EXPORTER_OTLP_PROTOCOL is "http/json"; it must be one of grpc, http/protobuf.' },
  );
});

test('says of an address, a compression or a number that OpenTelemetry would pass over that it is none', () => {
  const endpoint = 'http://collector:4318';
  const wrong: [Record<string, string>, string][] = [
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' },
      'OTEL_EXPORTER_OTLP_ENDPOINT is "collector:4318"; it must be an address such as http://collector:4318.',
    ],
    [
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://' },
      'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is "http://"; it must be an address such as http://collector:4318.',
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd' },
      'OTEL_EXPORTER_OTLP_COMPRESSION is "zstd"; it must be one of gzip, none.',
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER: 'nonsense' },
      'OTEL_TRACES_SAMPLER is "nonsense"; it must be one of always_on, parentbased_always_on, always_off, ' +
        'parentbased_always_off, traceidratio, parentbased_traceidratio.',
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG: '10%' },
      'OTEL_TRACES_SAMPLER_ARG is "10%"; it must be a share from 0 to 1.',
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG: '7' },
      'OTEL_TRACES_SAMPLER_ARG is "7"; it must be a share from 0 to 1.',
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_BSP_MAX_QUEUE_SIZE: '-1' },
      'OTEL_BSP_MAX_QUEUE_SIZE is "-1"; it must be a whole number above 0.',
    ],
  ];
  for (const [env, message] of wrong) {
    assert.throws(() => wantedTracing(env), { code: 'invalid_argument', message });
  }
  for (const share of ['0', '1', '0.1', '.5', '1.0']) {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG: share };
    assert.equal(wantedTracing(env), 'http/protobuf', share);
  }
  const good = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_BSP_MAX_QUEUE_SIZE: '4096' };
  assert.equal(wantedTracing({ ...good, OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' }), 'http/protobuf');
});
