import assert from 'node:assert/strict';
import { serveCommand } from '../../src/cli/settings/serve.ts';
import type { Setting } from '../../src/cli/settings/setting.ts';
import { readTracingVariables } from '../../src/telemetry/otel-variables.ts';
import { argsOf, find, parsed, podOf, refusal } from '../support/chart.ts';
import { externalTest } from '../support/external.ts';
import { missingHelm, render } from '../support/helm.ts';

externalTest('traces go where they are to, and the network policy lets them', missingHelm, async () => {
  const objects = await render(...argsOf('everything'));
  const [container] = podOf(objects).containers;
  const env = Object.fromEntries((container!.env ?? []).map(({ name, value }) => [name, value]));
  assert.deepEqual(readTracingVariables({ ...env }), { protocol: 'grpc', warnings: [] });
  assert.equal(env['OTEL_EXPORTER_OTLP_ENDPOINT'], 'http://collector.monitoring:4317');
  assert.equal(env['OTEL_TRACES_SAMPLER_ARG'], '1');
  const names = (container!.env ?? []).map(({ name }) => name);
  assert.ok(
    names.indexOf('POD_NAME') < names.indexOf('OTEL_RESOURCE_ATTRIBUTES'),
    'a variable names one before it',
  );
  const { egress } = find(objects, 'NetworkPolicy')['spec'] as { egress: { ports: { port: number }[] }[] };
  assert.ok(egress.some(({ ports }) => ports.some(({ port }) => port === 4317)));

  const [usual] = podOf(await render()).containers;
  const usualEnv = Object.fromEntries((usual!.env ?? []).map(({ name, value }) => [name, value]));
  assert.equal(readTracingVariables(usualEnv).protocol, undefined);
});

externalTest('numbers of config come to the service as they were written', missingHelm, async () => {
  const config = '{"max-inflight-bytes": 26843545600, "redis-keep-ms": 31536000000, "share-cache": true}';
  const outcome = parsed(podOf(await render('--set-json', `config=${config}`)).containers[0]!);
  assert.equal(outcome.kind, 'run', outcome.kind === 'refused' ? outcome.problems.join('\n') : '');
  if (outcome.kind !== 'run') return;
  assert.equal(outcome.settings.maxInflightBytes, 26_843_545_600);
  assert.equal(outcome.settings.redisKeepMs, 31_536_000_000);
  assert.equal(outcome.settings.shareCache, true);
});

externalTest('the grace period covers the whole drain', missingHelm, async () => {
  const seconds = async (...args: string[]) => podOf(await render(...args)).terminationGracePeriodSeconds;
  const settings: Readonly<Record<string, Setting>> = serveCommand.settings;
  // The delay is of later versions.
  for (const [name, standard] of [
    ['drain-delay-ms', '5000'],
    ['drain-grace-ms', '20000'],
  ]) {
    assert.equal(settings[name!]?.default ?? standard, standard, `the chart has another default of ${name}`);
  }
  assert.equal(await seconds(), 5 + 20 + 10);
  assert.equal(await seconds('--set', 'config.drain-grace-ms=59001'), 5 + 60 + 10);
  // Another version of the service may know settings that this schema does not.
  const delayed = ['--skip-schema-validation', '--set', 'config.drain-delay-ms=0'];
  assert.equal(await seconds(...delayed), 20 + 10);
  assert.equal(await seconds('--set', 'terminationGracePeriodSeconds=300'), 300);
  assert.match(
    await refusal('--set', 'terminationGracePeriodSeconds=30'),
    /terminationGracePeriodSeconds is 30; the drain that config asks for needs 35, or 0 to have it follow\./,
  );
});

externalTest(
  'probes speak TLS where the service does, and only connect where it asks for certificates',
  missingHelm,
  async () => {
    const probe = async (name: string, kind: string) =>
      podOf(await render(...argsOf(name))).containers[0]![kind] as Record<string, unknown>;
    assert.deepEqual((await probe('default', 'readinessProbe'))['httpGet'], {
      path: '/readyz',
      port: 'http',
    });
    assert.deepEqual((await probe('tls', 'livenessProbe'))['httpGet'], {
      path: '/healthz',
      port: 'http',
      scheme: 'HTTPS',
    });
    // On the port of HTTP they would need a certificate; that it listens does not say that the models are loaded.
    assert.deepEqual((await probe('mtls', 'startupProbe'))['httpGet'], { path: '/readyz', port: 'metrics' });
  },
);

externalTest('metrics have a port of their own where the service has', missingHelm, async () => {
  const objects = await render('--skip-schema-validation', '--set', 'config.metrics-port=9464');
  assert.deepEqual(podOf(objects).containers[0]!.ports[2], { name: 'metrics', containerPort: 9464 });
  const { ports } = find(objects, 'Service')['spec'] as { ports: { name: string; targetPort: string }[] };
  assert.equal(ports.find(({ name }) => name === 'metrics')?.targetPort, 'metrics');
});

externalTest('metrics have a port of their own where clients need certificates', missingHelm, async () => {
  const [container] = podOf(await render(...argsOf('mtls'))).containers;
  assert.deepEqual(container!.ports[2], { name: 'metrics', containerPort: 9464 });
  const own = container!.env!.find(({ name }) => name === 'SIGLIPHD_METRICS_PORT');
  assert.equal(own?.value, '9464');
});

externalTest("alerts and KEDA's query name the job under which the metrics are", missingHelm, async () => {
  const [query] = JSON.stringify(await render(...argsOf('keda'))).match(/job=[^,}]*/) ?? [];
  assert.match(query!, /pods/);
  const rule = find(
    await render('--set', 'prometheusRule.enabled=true,serviceMonitor.job=vision'),
    'PrometheusRule',
  );
  assert.match(JSON.stringify(rule), /job=\\+"vision\\+"/);
});

externalTest("the network policy opens the port of the collector's address", missingHelm, async () => {
  for (const [endpoint, port] of [
    ['http://collector.monitoring:4317', 4317],
    ['http://[fd00::1]:4318/v1', 4318],
    ['https://otel.example/otlp', 443],
    ['http://collector', 80],
  ] as const) {
    const policy = find(await render('--set', `tracing.endpoint=${endpoint}`), 'NetworkPolicy');
    const { egress } = policy['spec'] as { egress: { ports: { port: number }[] }[] };
    assert.deepEqual(egress.at(-1)?.ports, [{ port }], endpoint);
  }
});

externalTest('replicas are left to the autoscaler where there is one', missingHelm, async () => {
  for (const [name, expected] of [
    ['default', 2],
    ['hpa', undefined],
    ['keda', undefined],
  ] as const) {
    const spec = find(await render(...argsOf(name)), 'Deployment')['spec'] as Record<string, unknown>;
    assert.equal(spec['replicas'], expected);
  }
});

externalTest('pods are replaced as asked', missingHelm, async () => {
  const strategy = async (...args: string[]) =>
    (find(await render(...args), 'Deployment')['spec'] as Record<string, unknown>)['strategy'];
  const rollingUpdate = { maxSurge: 1, maxUnavailable: 0 };
  assert.deepEqual(await strategy(), { type: 'RollingUpdate', rollingUpdate });
  assert.deepEqual(await strategy('--set', 'strategy.type=Recreate'), { type: 'Recreate' });
});

externalTest('pods call nobody, but whom they need', missingHelm, async () => {
  const ports = async (...args: string[]) => {
    const { egress } = find(await render(...args), 'NetworkPolicy')['spec'] as {
      egress: { ports: { port: number }[] }[];
    };
    return egress.flatMap((rule) => rule.ports.map(({ port }) => port));
  };
  assert.deepEqual(await ports(), []);
  assert.deepEqual(await ports('--set', 'redis.secret=r,redis.port=6380'), [53, 53, 6380]);
  assert.deepEqual(await ports(...argsOf('everything')), [53, 53, 6379, 4317, 443, 3128]);
});
