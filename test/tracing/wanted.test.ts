import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wantedTracing } from '../../src/tracing/wanted.ts';

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
