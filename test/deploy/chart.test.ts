import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importCommand } from '../../src/cli/settings/import.ts';
import { parseCommand } from '../../src/cli/settings/parse.ts';
import { serveCommand } from '../../src/cli/settings/serve.ts';
import type { Setting } from '../../src/cli/settings/setting.ts';
import { readTracingVariables } from '../../src/telemetry/otel-variables.ts';
import { externalTest } from '../support/external.ts';
import {
  chart,
  type KubernetesObject,
  missingHelm,
  missingHelm4,
  readYaml,
  render,
  renderText,
  runHelm,
} from '../support/helm.ts';
import { missingSchemas, problemsOf } from '../support/kubernetes-schema.ts';
import { scratchFolder } from '../support/tiny-models.ts';

const examples = readdirSync(join(chart, 'ci')).map((name) => ({
  name: name.replace('-values.yaml', ''),
  args: ['-f', join(chart, 'ci', name)],
}));
const matrix: { name: string; args: string[] }[] = [{ name: 'default', args: [] }, ...examples];
const argsOf = (name: string): string[] => matrix.find((one) => one.name === name)!.args;

interface Container {
  readonly args: string[];
  readonly env?: { readonly name: string; readonly value?: string }[];
  readonly resources: { readonly limits: Record<string, unknown> };
  readonly ports: { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly securityContext: Record<string, unknown>;
  readonly [field: string]: unknown;
}

interface PodSpec {
  readonly containers: Container[];
  readonly initContainers?: Container[];
  readonly volumes: { readonly name: string }[];
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: Record<string, unknown>;
  readonly [field: string]: unknown;
}

function find(objects: readonly KubernetesObject[], kind: string): KubernetesObject {
  const found = objects.find((object) => object.kind === kind);
  assert.ok(found, `there is no ${kind} among ${objects.map((one) => one.kind).join(', ')}`);
  return found;
}

const podOf = (objects: readonly KubernetesObject[]): PodSpec =>
  (find(objects, 'Deployment')['spec'] as { template: { spec: PodSpec } }).template.spec;

async function refusal(...args: string[]): Promise<string> {
  return await renderText(...args).then(
    () => assert.fail(`${args.join(' ')} was taken`),
    (error: Error) => error.message,
  );
}

const machine = { cores: 4, poolThreads: 8, cacheHome: '/c', hasIpv6: true };

/** What the service makes of the settings that a container gives it; secrets are made up. */
function parsed(container: Container) {
  const env: Record<string, string> = {};
  for (const { name, value } of container.env ?? []) {
    if (name.startsWith('SIGLIPHD_')) env[name] = value ?? 'redis://redis:6379';
  }
  const [command, ...args] = container.args;
  assert.equal(command, 'serve');
  return parseCommand(serveCommand, { args, env, machine });
}

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

for (const { name, args } of matrix) {
  externalTest(`the chart with the values of ${name} passes the strict linter`, missingHelm, async () => {
    const { exitCode, stdout, stderr } = await runHelm('lint', '--strict', chart, ...args);
    assert.equal(exitCode, 0, stdout + stderr);
  });

  externalTest(
    `the chart with the values of ${name} is what the Kubernetes API takes`,
    async () => (await missingHelm()) ?? (await missingSchemas()),
    async () => {
      const objects = await render(...args);
      assert.ok(objects.length >= 6);
      for (const object of objects) {
        assert.deepEqual(await problemsOf(object), [], `${object.kind} ${object.metadata.name}`);
      }
    },
  );

  externalTest(`the service takes the settings that the chart has of ${name}`, missingHelm, async () => {
    const pod = podOf(await render(...args));
    const outcome = parsed(pod.containers[0]!);
    assert.equal(outcome.kind, 'run', outcome.kind === 'refused' ? outcome.problems.join('\n') : '');
    for (const { args: importArgs } of pod.initContainers ?? []) {
      const importing = parseCommand(importCommand, { args: importArgs.slice(1), env: {}, machine });
      assert.equal(importing.kind, 'run', importing.kind === 'refused' ? importing.problems.join('\n') : '');
    }
  });

  externalTest(
    `pods with the values of ${name} have no more rights than they need`,
    missingHelm,
    async () => {
      const objects = await render(...args);
      const tests = objects.filter(({ kind }) => kind === 'Pod').map((pod) => pod['spec'] as PodSpec);
      for (const pod of [podOf(objects), ...tests]) {
        assert.equal(pod['automountServiceAccountToken'], false);
        assert.equal(pod['enableServiceLinks'], false);
        assert.equal(pod.securityContext['runAsNonRoot'], true);
        assert.deepEqual(pod.securityContext['seccompProfile'], { type: 'RuntimeDefault' });
        for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
          assert.equal(container.securityContext['readOnlyRootFilesystem'], true);
          assert.equal(container.securityContext['allowPrivilegeEscalation'], false);
          assert.deepEqual(container.securityContext['capabilities'], { drop: ['ALL'] });
          assert.ok(container.resources.limits['memory']);
        }
      }
    },
  );

  externalTest(
    `what the values of ${name} mount is there, and is what they select`,
    missingHelm,
    async () => {
      const objects = await render(...args);
      const deployment = find(objects, 'Deployment')['spec'] as {
        selector: { matchLabels: Record<string, string> };
        template: { metadata: { labels: Record<string, string> } };
      };
      const { labels } = deployment.template.metadata;
      const selects = (selector: Record<string, string>) =>
        Object.entries(selector).every(([key, value]) => labels[key] === value);
      assert.ok(selects(deployment.selector.matchLabels));
      const pod = podOf(objects);
      const volumes = new Set(pod.volumes.map((volume) => volume.name));
      for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
        for (const mount of container.volumeMounts) assert.ok(volumes.has(mount.name), mount.name);
      }
      const ports = new Set(pod.containers[0]!.ports.map((port) => port.name));
      for (const { kind, spec } of objects as (KubernetesObject & { spec: never })[]) {
        if (kind !== 'Service') continue;
        const service = spec as { selector: Record<string, string>; ports: { targetPort: string }[] };
        assert.ok(selects(service.selector));
        for (const { targetPort } of service.ports) assert.ok(ports.has(targetPort), targetPort);
      }
    },
  );
}

externalTest('the default renders as it did', missingHelm, async () => {
  const file = 'test/fixtures/deploy/default.yaml';
  const text = await renderText();
  if (process.env.UPDATE_SNAPSHOTS === '1') writeFileSync(file, text);
  // By content: another helm may order and indent otherwise.
  const byName = (objects: unknown[]) =>
    (objects as KubernetesObject[]).toSorted((a, b) =>
      `${a.kind} ${a.metadata.name}`.localeCompare(`${b.kind} ${b.metadata.name}`),
    );
  const kept = byName(await readYaml(readFileSync(file, 'utf8')));
  assert.deepEqual(
    byName(await readYaml(text)),
    kept,
    `UPDATE_SNAPSHOTS=1 writes ${file} where that is meant`,
  );
});

externalTest('the chart renders for the oldest Kubernetes that it is for', missingHelm, async () => {
  await renderText('--kube-version', '1.29.0');
  assert.match(await refusal('--kube-version', '1.28.0'), /requires kubeVersion: >=1\.29/);
});

externalTest('every part is there when all are asked for', missingHelm, async () => {
  const kinds = (await render(...argsOf('everything'))).map(({ kind }) => kind);
  assert.deepEqual(kinds.toSorted(), [
    'BackendTLSPolicy',
    'ConfigMap',
    'Deployment',
    'GRPCRoute',
    'HTTPRoute',
    'Ingress',
    'Ingress',
    'NetworkPolicy',
    'Pod',
    'PodDisruptionBudget',
    'PrometheusRule',
    'ScaledObject',
    'Service',
    'Service',
    'ServiceAccount',
    'ServiceMonitor',
  ]);
});

externalTest('nothing is there that has been turned off', missingHelm, async () => {
  const off = [
    'serviceAccount.create',
    'podDisruptionBudget.enabled',
    'networkPolicy.enabled',
    'service.headless',
    'tests.enabled',
  ];
  const objects = await render(...off.flatMap((name) => ['--set', `${name}=false`]));
  assert.deepEqual(objects.map(({ kind }) => kind).toSorted(), ['Deployment', 'Service']);
  assert.equal(podOf(objects)['serviceAccountName'], 'default');
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

externalTest(
  'models, teacher, keys, TLS and Redis come to the service as they are set',
  missingHelm,
  async () => {
    const pod = podOf(
      await render(
        ...argsOf('cuda'),
        '-f',
        join(chart, 'ci/mtls-values.yaml'),
        '--set',
        'redis.secret=r,apiKeys.secret=k',
      ),
    );
    const outcome = parsed(pod.containers[0]!);
    assert.equal(outcome.kind, 'run');
    if (outcome.kind !== 'run') return;
    const { models, teacher, device, apiKeysFile, tlsCert, tlsClientCa, redisUrl } = outcome.settings;
    assert.deepEqual(models, [
      { name: 'hd', folder: '/models/hd' },
      { name: 'siglip2', folder: '/models/siglip2-so400m' },
    ]);
    assert.deepEqual(
      pod.initContainers!.map(({ args }) => args[args.indexOf('--out') + 1]),
      models.map(({ folder }) => folder),
    );
    assert.equal(teacher, 'siglip2');
    assert.deepEqual(device, { kind: 'cuda', deviceId: 0 });
    assert.equal(redisUrl, 'redis://redis:6379');
    const mounts = pod.containers[0]!.volumeMounts;
    for (const file of [apiKeysFile, tlsCert, tlsClientCa, models[0]!.folder]) {
      const mount = mounts.find(({ mountPath }) => file!.startsWith(`${mountPath}/`));
      assert.equal(mount?.readOnly, true, file);
    }
    assert.equal(pod.containers[0]!.resources.limits['nvidia.com/gpu'], 1);
  },
);

externalTest('an import to int8 says how near it must come', missingHelm, async () => {
  const model = '{"name": "hd", "import": {"source": "a/b", "precision": "int8", "min-cosine": 0.995}}';
  const pod = podOf(await render('--set', 'models.from=import', '--set-json', `models.serve=[${model}]`));
  const [{ args }] = pod.initContainers as [Container];
  const outcome = parseCommand(importCommand, { args: args.slice(1), env: {}, machine });
  assert.equal(outcome.kind, 'run');
  assert.equal(outcome.kind === 'run' && outcome.settings.minCosine, 0.995);
});

externalTest('no secret is in what the chart makes, but by name', missingHelm, async () => {
  const objects = await render(...argsOf('everything'));
  assert.ok(objects.every(({ kind }) => kind !== 'Secret'));
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

externalTest('the schema says which value is wrong, and what it may be', missingHelm4, async () => {
  const wrong: [string, RegExp][] = [
    ['replicas=many', /at '\/replicas': got string, want integer/],
    ['device=tpu', /at '\/device': value must be one of 'cpu', 'cuda'/],
    ['config.max-queue=5', /at '\/config': additional properties 'max-queue' not allowed/],
    ['config.model=a', /at '\/config': additional properties 'model' not allowed/],
    ['config.max-images=0', /at '\/config\/max-images': minimum: got 0, want 1/],
    ['config.cache-bytes=12MB', /at '\/config\/cache-bytes': '12MB' does not match pattern '.*KiB\|MiB\|GiB/],
    ['config.log-level=loud', /at '\/config\/log-level': value must be one of 'fatal', 'error'/],
    ['image.tga=1', /at '\/image': additional properties 'tga' not allowed/],
    ['image.digest=sha256:12', /at '\/image\/digest': 'sha256:12' does not match pattern/],
    ['service.httpPort=70000', /at '\/service\/httpPort': maximum: got 70,000, want 65,535/],
    ['models.from=web', /at '\/models\/from': value must be one of 'embedded', 'pvc', 'image', 'import'/],
    ['models.serve[0].folder=a', /at '\/models\/serve\/0': missing property 'name'/],
    ['autoscaling.kind=vpa', /at '\/autoscaling\/kind': value must be one of 'none', 'hpa', 'keda'/],
    ['apiKeys.secret=Not_A_Name', /at '\/apiKeys\/secret': 'Not_A_Name' does not match pattern/],
  ];
  for (const [value, message] of wrong) assert.match(await refusal('--set', value), message);
});

externalTest('values that contradict each other are refused, in a sentence', missingHelm, async () => {
  const hd = 'models.serve[0].name=hd';
  const wrong: [string, RegExp][] = [
    [hd, /models\.from is embedded; say where they come from/],
    ['models.from=pvc', /models\.from is pvc; models\.serve must name a model\./],
    [`models.from=pvc,${hd}`, /models\.from is pvc; models\.pvc\.claimName must say which\./],
    [`models.from=image,${hd}`, /models\.from is image; models\.image\.reference must say which\./],
    [`models.from=import,${hd}`, /models\.serve's "hd" needs import: \{source: OWNER\/NAME\}\./],
    [`models.from=pvc,${hd},models.serve[1].name=hd`, /models\.serve has two models named "hd"\./],
    [`models.from=pvc,${hd},models.teacher=t`, /models\.teacher is "t"; models\.serve has hd\./],
    [`models.from=pvc,${hd},models.serve[0].import.source=a/b`, /"hd" has import, but models\.from is pvc\./],
    [
      `device=cuda,models.from=import,${hd},models.serve[0].import.source=a/b,models.serve[0].import.precision=int8`,
      /"hd" is int8, which is for CPUs, and device is cuda/,
    ],
    [
      'models.from=import,models.serve[0].name=a,models.serve[0].import.source=o/a,models.serve[0].folder=x,' +
        'models.serve[1].name=x,models.serve[1].import.source=o/b',
      /two models that are imported into the folder "x"/,
    ],
    ['prometheusRule.enabled=true', /^.*prometheusRule asks Prometheus for this release's metrics/s],
    [
      'autoscaling.kind=keda',
      /autoscaling\.kind=keda asks Prometheus .*; where something else does, serviceMonitor\.job/,
    ],
    ['config.metrics-port=8080', /config\.metrics-port is 8080; in the pods HTTP has 8080 and gRPC 50051/],
    ['config.metrics-port=0', /config\.metrics-port is 0; .* give it one of its own, such as 9464\./],
    [
      'podLabels.app\\.kubernetes\\.io/component=other',
      /podLabels has app\.kubernetes\.io\/component, which the chart sets itself/,
    ],
    ['commonLabels.app\\.kubernetes\\.io/name=other', /commonLabels has app\.kubernetes\.io\/name/],
    [
      'tracing.endpoint=http://a:1,extraEnv[0].name=OTEL_RESOURCE_ATTRIBUTES,extraEnv[0].value=a',
      /extraEnv has OTEL_RESOURCE_ATTRIBUTES, which tracing sets/,
    ],
    ['tls.clientCaSecret=ca', /tls\.clientCaSecret is for TLS; it needs tls\.secret\./],
    ['autoscaling.kind=hpa,autoscaling.min=9', /autoscaling\.min is 9, above autoscaling\.max, which is 8\./],
    [
      'gateway.backendTls.hostname=a',
      /gateway\.backendTls is for pods that speak TLS; it needs tls\.secret\./,
    ],
    ['gateway.grpc.enabled=true', /gateway\.grpc\.enabled needs gateway\.grpc\.parentRefs/],
  ];
  for (const [value, message] of wrong) assert.match(await refusal('--set', value), message);
});

externalTest('the notes say where the service is and what it lacks', missingHelm4, async () => {
  const notes = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await runHelm(
      'install',
      '--dry-run=client',
      'tokens',
      chart,
      '-n',
      'vision',
      ...args,
    );
    assert.equal(exitCode, 0, stderr);
    return stdout.slice(stdout.indexOf('NOTES:'));
  };
  const plain = await notes();
  assert.match(plain, /http:\/\/tokens-siglip-hd\.vision\.svc:8080\/v1\/encode/);
  assert.match(plain, /helm test -n vision tokens/);
  assert.match(plain, /untrained/);
  assert.match(plain, /no API key/);
  const all = await notes(...argsOf('everything'));
  assert.match(all, /https:\/\/tokens\.vision\.svc:8080/);
  assert.doesNotMatch(all, /untrained|no API key/);
});

externalTest(
  'names that look like numbers stay names',
  async () => (await missingHelm()) ?? (await missingSchemas()),
  async () => {
    const names = [
      'fullnameOverride=123',
      'nameOverride=45',
      'serviceAccount.name=6',
      'priorityClassName=7',
      'runtimeClassName=8',
      'apiKeys.secret=9',
      'apiKeys.key=10',
      'tls.secret=11',
      'tls.clientCaSecret=12',
      'redis.secret=13',
      'models.from=pvc',
      'models.serve[0].name=14',
      'models.teacher=14',
      'models.pvc.claimName=15',
      'models.pvc.subPath=16',
      'ingress.http.className=17',
      'ingress.http.tlsSecret=18',
      'tests.clientSecret=19',
      'tests.apiKeySecret=20',
      'image.repository=21',
      'image.tag=22',
    ];
    const objects = await render(
      '--set-string',
      names.join(','),
      '--set',
      'ingress.http.enabled=true',
      '-n',
      '456',
    );
    for (const object of objects) assert.deepEqual(await problemsOf(object), [], object.kind);
    const outcome = parsed(podOf(objects).containers[0]!);
    assert.equal(outcome.kind, 'run', outcome.kind === 'refused' ? outcome.problems.join('\n') : '');
  },
);

externalTest('names stay short enough, and those of two imports apart', missingHelm, async () => {
  const [dot, dash] = ['a.b', 'a_b'].map((name) => `{"name": "${name}", "import": {"source": "a/b"}}`);
  const long = 'x'.repeat(60);
  const objects = await render(
    '--set',
    `models.from=import,fullnameOverride=${long}`,
    '--set-json',
    `models.serve=[${dot},${dash}]`,
  );
  for (const { metadata } of objects) assert.ok(metadata.name.length <= 63, metadata.name);
  const names = podOf(objects).initContainers!.map((container) => container['name']);
  assert.deepEqual(names, ['import-0-a-b', 'import-1-a-b']);
});

externalTest('dashboards are shipped where there are some', missingHelm, async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const copy = join(scratch.path, 'siglip-hd');
  cpSync(chart, copy, { recursive: true });
  mkdirSync(join(copy, 'dashboards'), { recursive: true });
  writeFileSync(join(copy, 'dashboards/one.json'), '{"title": "{{ $labels }}"}');
  const { stdout, stderr } = await runHelm('template', 'a', copy, '--set', 'dashboard.enabled=true');
  const objects = (await readYaml(stdout)) as KubernetesObject[];
  const { data, metadata } = find(objects, 'ConfigMap') as KubernetesObject & {
    data: Record<string, string>;
  };
  assert.equal(data['one.json'], '{"title": "{{ $labels }}"}', stderr);
  assert.equal((metadata['labels'] as Record<string, string>)['grafana_dashboard'], '1');
});
