import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportTritonCommand } from '../../src/cli/settings/export-triton.ts';
import { parseCommand } from '../../src/cli/settings/parse.ts';
import {
  argsOf,
  containersOf,
  find,
  machine,
  matrix,
  parsed,
  parsedImports,
  podOf,
  podsOf,
  refusal,
} from '../support/chart.ts';
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
    const objects = await render(...args);
    for (const outcome of [parsed(podOf(objects).containers[0]!), ...parsedImports(objects)]) {
      assert.equal(outcome.kind, 'run', outcome.kind === 'refused' ? outcome.problems.join('\n') : '');
    }
  });

  externalTest(
    `pods with the values of ${name} have no more rights than they need`,
    missingHelm,
    async () => {
      for (const pod of podsOf(await render(...args))) {
        assert.equal(pod['automountServiceAccountToken'], false);
        assert.equal(pod['enableServiceLinks'], false);
        assert.equal(pod.securityContext['runAsNonRoot'], true);
        assert.deepEqual(pod.securityContext['seccompProfile'], { type: 'RuntimeDefault' });
        for (const container of containersOf(pod)) {
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
      for (const pod of podsOf(objects)) {
        const volumes = new Set(pod.volumes?.map((volume) => volume.name));
        for (const mount of containersOf(pod).flatMap((container) => container.volumeMounts ?? [])) {
          assert.ok(volumes.has(mount.name), mount.name);
        }
      }
      const ports = new Set(podOf(objects).containers[0]!.ports.map((port) => port.name));
      for (const { kind, spec } of objects as (KubernetesObject & { spec: never })[]) {
        if (kind !== 'Service') continue;
        const service = spec as { selector: Record<string, string>; ports: { targetPort: string }[] };
        // The engines have a Service and pods of their own.
        if (service.selector['app.kubernetes.io/component'] === 'engine') continue;
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

externalTest(
  'remote engines are pods that the service knows by name, each for each model',
  missingHelm,
  async () => {
    const objects = await render(...argsOf('remote'));
    const outcome = parsed(podOf(objects).containers[0]!);
    assert.equal(outcome.kind, 'run');
    if (outcome.kind !== 'run') return;
    const { name } = find(objects, 'StatefulSet').metadata;
    assert.deepEqual(
      outcome.settings.remoteEngines.map(({ model, endpoint }) => [model, endpoint.host, endpoint.port]),
      [0, 1, 2, 3].map((index) => ['hd', `${name}-${index}.${name}.vision.svc`, 8001]),
    );
    assert.equal(outcome.settings.device.kind, 'cpu');
    const triton = podOf(objects, 'StatefulSet');
    assert.deepEqual(triton.containers[0]!.resources.limits['nvidia.com/gpu'], 1);
    assert.equal(podOf(objects).containers[0]!.resources.limits['nvidia.com/gpu'], undefined);
    for (const { args } of triton.initContainers!.filter(({ name: one }) => one.startsWith('export'))) {
      const { kind } = parseCommand(exportTritonCommand, { args: args.slice(1), env: {}, machine });
      assert.equal(kind, 'run');
    }
  },
);

externalTest(
  'remote engines are reached by the service alone, and it by what it may reach',
  missingHelm,
  async () => {
    const policies = (await render(...argsOf('remote'))).filter(({ kind }) => kind === 'NetworkPolicy');
    const of = (component: string) =>
      policies.find(({ spec }) =>
        JSON.stringify((spec as { podSelector: unknown }).podSelector).includes(component),
      )!['spec'] as { ingress: unknown[]; egress: unknown[] };
    assert.match(JSON.stringify(of('"engine"').ingress[0]), /component":"service".*"port":"grpc"/);
    assert.match(
      JSON.stringify(of('"service"').egress),
      /"port":8001\}\],"to":\[\{"podSelector":\{"matchLabels":\{"app.kubernetes.io\/component":"engine"/,
    );
  },
);

externalTest('refuses remote engines whose models they cannot have', missingHelm, async () => {
  assert.match(
    await refusal('--set', 'engine.mode=remote'),
    /models\.from is embedded: both kinds of pods need/,
  );
  const [flag, file] = argsOf('remote');
  assert.match(await refusal(flag!, file!, '--set', 'device=cuda'), /leave device at cpu/);
  assert.match(
    await refusal(flag!, file!, '--set', 'engine.autoscaling.min=9'),
    /engine\.autoscaling\.min is 9, above engine\.autoscaling\.max, which is 4/,
  );
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

externalTest('no secret is in what the chart makes, but by name', missingHelm, async () => {
  const objects = await render(...argsOf('everything'));
  assert.ok(objects.every(({ kind }) => kind !== 'Secret'));
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
  assert.match(plain, /embedded models/);
  assert.match(plain, /requires no API key/);
  const all = await notes(...argsOf('everything'));
  assert.match(all, /https:\/\/tokens\.vision\.svc:8080/);
  assert.doesNotMatch(all, /embedded models|no API key/);
});
