import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { argsOf, type Container, find, parsed, parsedImports, podOf } from '../support/chart.ts';
import { externalTest, runProgram } from '../support/external.ts';
import { chart, missingHelm, render } from '../support/helm.ts';
import { scratchFolder } from '../support/tiny-models.ts';

interface Policy {
  readonly podSelector: { readonly matchLabels: Record<string, string> };
  readonly egress: { readonly ports: { readonly port: number }[] }[];
}

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
      pod.initContainers!.flatMap(({ args }) => args),
      models.map(({ folder }) => folder),
      'it waits for both',
    );
    assert.equal(teacher, 'siglip2');
    assert.deepEqual(device, { kind: 'cuda', deviceIds: [0] });
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
  const [outcome] = parsedImports(
    await render('--set', 'models.from=import', '--set-json', `models.serve=[${model}]`),
  );
  assert.ok(outcome?.kind === 'run');
  assert.equal(outcome.settings.minCosine, 0.995);
});

externalTest(
  'the example for GPUs serves the teacher of the paper, at its own size',
  missingHelm,
  async () => {
    const outcomes = parsedImports(await render(...argsOf('cuda')));
    assert.equal(outcomes.length, 2);
    for (const outcome of outcomes)
      assert.ok(outcome.kind === 'run' && outcome.settings.imageSize === undefined);
  },
);

const filled = (...sets: string[]) =>
  render(
    '--set',
    ['models.from=pvc,models.pvc.claimName=models', ...sets].join(','),
    '--set-json',
    'models.serve=[{"name": "hd", "import": {"source": "a/b"}}, {"name": "mine"}]',
  );

externalTest(
  'a Job imports the models of a claim that have a source, and no pod does',
  missingHelm,
  async () => {
    const objects = await filled();
    const [{ args }] = podOf(objects, 'Job').initContainers as [Container];
    assert.deepEqual(args, ['import', 'a/b', '--out', '/models/hd']);
    assert.deepEqual(
      podOf(objects).initContainers!.map(({ name, args: folders }) => ({ name, folders })),
      [{ name: 'await-models', folders: ['/models/hd', '/models/mine'] }],
    );
    const claimed = await render('--set', 'models.from=pvc,models.pvc.claimName=m,models.serve[0].name=hd');
    assert.ok(claimed.every(({ kind }) => kind !== 'Job'));
    assert.equal(podOf(claimed).initContainers, undefined);
  },
);

externalTest('the Job imports a folder once, and the pods wait for it', missingHelm, async (t) => {
  const scratch = scratchFolder();
  t.after(() => scratch.remove());
  const objects = await filled();
  const [importing] = podOf(objects, 'Job').initContainers as [Container];
  const [awaiting] = podOf(objects).initContainers as [Container];
  /** Runs a container's command on folders of this machine. */
  const run = (words: readonly string[]) => {
    const [program = '', ...args] = words.map((word) => word.replace('/models', scratch.path));
    return runProgram(program, args);
  };
  const words = [...importing.command!, ...importing.args];
  const sourced = words.map((word) => (word === 'a/b' ? 'test/fixtures/siglip-tiny' : word));
  // An import that was killed has left this.
  mkdirSync(join(scratch.path, 'hd.tmp-1-abcd'));
  const first = await run(sourced);
  assert.equal(first.exitCode, 0, first.stderr);
  assert.deepEqual(readdirSync(scratch.path), ['hd']);
  assert.match(first.stdout, /^.*\/hd: 512 px to/);
  assert.deepEqual(await run(sourced), { exitCode: 0, stdout: '', stderr: '' });
  const waited = await run([...awaiting.command!, '/models/hd']);
  assert.deepEqual(waited, { exitCode: 0, stdout: '', stderr: '' });
});

externalTest('a Job that would run something else has another name', missingHelm, async () => {
  const nameOf = async (...sets: string[]) => find(await filled(...sets), 'Job').metadata.name;
  const name = await nameOf();
  assert.equal(await nameOf('replicas=5,commonLabels.team=vision'), name);
  assert.notEqual(await nameOf('image.tag=next'), name);
  const long = await nameOf(`fullnameOverride=${'x'.repeat(60)}`);
  assert.ok(long.length <= 63, long);
});

externalTest('the Job gets no requests, and may call the hub where pods may not', missingHelm, async () => {
  const objects = await filled('networkPolicy.enabled=true');
  const { metadata } = (find(objects, 'Job')['spec'] as { template: { metadata: { labels: object } } })
    .template;
  const labels: Record<string, string> = { ...metadata.labels };
  const selects = (selector: Record<string, string>) =>
    Object.entries(selector).every(([key, value]) => labels[key] === value);
  const services = objects.filter(({ kind }) => kind === 'Service');
  assert.ok(services.every(({ spec }) => !selects((spec as { selector: Record<string, string> }).selector)));
  const policies = objects
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map(({ spec }) => spec as Policy)
    .filter(({ podSelector }) => selects(podSelector.matchLabels));
  assert.deepEqual(
    policies.map(({ egress }) => egress.flatMap(({ ports }) => ports.map(({ port }) => port))),
    [[53, 53, 443]],
  );
  assert.deepEqual((find(objects, 'NetworkPolicy')['spec'] as Policy).egress, []);
});
