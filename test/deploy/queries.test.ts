import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { errorCodes } from '../../src/errors/service-error.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { alertRules } from '../support/alert-rules.ts';
import { exposedMetrics } from '../support/exposed-metrics.ts';
import { externalTest } from '../support/external.ts';
import { chart, type KubernetesObject, missingHelm, render } from '../support/helm.ts';
import { missingPromql, type Selection, selectionsOf } from '../support/promql.ts';

const missing = async () => (await missingHelm()) ?? (await missingPromql());

async function everything(kind: string): Promise<KubernetesObject> {
  const objects = await render('-f', `${chart}/ci/everything-values.yaml`);
  return objects.find((object) => object.kind === kind)!;
}

const alerts = async () => await alertRules('-f', `${chart}/ci/everything-values.yaml`);

/** Of this release alone, and of what the service exposes; `up` is Prometheus' own. */
async function check({ metric, labels }: Selection): Promise<void> {
  const known = metric === 'up' ? new Map<string, Set<string>>() : (await exposedMetrics()).get(metric);
  assert.ok(known, `the service exposes no ${metric}`);
  const namespace = labels.find(({ name }) => name === 'namespace');
  assert.equal(namespace?.value, 'vision');
  assert.equal(labels.find(({ name }) => name === 'job')?.value, 'tokens');
  for (const { name, value } of labels) {
    if (name === 'namespace' || name === 'job') continue;
    const values = name === 'code' ? new Set<string>(errorCodes) : known.get(name);
    assert.ok(values, `${metric} has no label ${name}`);
    for (const one of value.split('|')) assert.ok(values.has(one), `${metric} has no ${name} ${one}`);
  }
}

externalTest('every alert asks for what the service exposes', missing, async () => {
  const rules = await alerts();
  assert.ok(rules.length >= 5);
  for (const { expr } of rules) {
    const selections = await selectionsOf(expr);
    assert.ok(selections.length > 0, expr);
    for (const selection of selections) await check(selection);
  }
});

externalTest('every alert says in a sentence what is wrong, and where to read on', missing, async () => {
  for (const { alert, annotations } of await alerts()) {
    assert.match(annotations['summary']!, /^[A-Z].*\.$/);
    assert.equal(annotations['runbook_url'], `https://docs.example/operations.html#${alert.toLowerCase()}`);
  }
});

externalTest('KEDA and the autoscaler ask for the views that wait', missing, async () => {
  const { triggers } = (await everything('ScaledObject'))['spec'] as {
    triggers: { metadata: { query: string } }[];
  };
  const [selection, ...others] = await selectionsOf(triggers[0]!.metadata.query);
  assert.deepEqual(others, []);
  await check(selection!);
  const objects = await render('-f', `${chart}/ci/hpa-values.yaml`);
  const { metrics } = objects.find(({ kind }) => kind === 'HorizontalPodAutoscaler')!['spec'] as {
    metrics: { pods: { metric: { name: string; selector: { matchLabels: Record<string, string> } } } }[];
  };
  const { name, selector } = metrics[0]!.pods.metric;
  assert.equal(name, selection!.metric);
  assert.deepEqual(selector.matchLabels, { state: 'queued' });
});

externalTest('a query that is none is told from one that is', missing, async () => {
  await assert.rejects(selectionsOf('sum(rate(a[5m])) >'), /no query from character/);
  assert.deepEqual(await selectionsOf('sum(a{b="c"}) / d'), [
    { metric: 'a', labels: [{ name: 'b', operator: '=', value: 'c' }] },
    { metric: 'd', labels: [] },
  ]);
});

externalTest('every query of docs/metrics.md asks for what the service exposes', missingPromql, async () => {
  const text = readFileSync('docs/metrics.head.md', 'utf8');
  const queries = [...text.matchAll(/^\| .* \| `(.*?)`/gm)].map(([, query]) => query!.replaceAll('\\|', '|'));
  assert.ok(queries.length >= 8);
  const known = await exposedMetrics();
  for (const query of queries) {
    const selections = await selectionsOf(query);
    assert.ok(selections.length > 0, query);
    for (const { metric, labels } of selections) {
      assert.ok(known.has(metric), metric);
      for (const { name } of labels)
        assert.ok(known.get(metric)!.has(name), `${metric} has no label ${name}`);
    }
  }
});

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: object;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

/** The dashboard as the chart ships it, and what its variables stand for. */
async function dashboard(): Promise<{
  panels: readonly Panel[];
  selectionsIn: (expr: string) => Promise<Selection[]>;
}> {
  const files = (await everything('ConfigMap'))['data'] as Record<string, string>;
  const { panels, templating } = JSON.parse(files['siglip-hd.json']!) as Dashboard;
  const variables = new Set(templating.list.map(({ name }) => name));
  const selectionsIn = async (expr: string) => {
    const filled = expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(\w+)/g, (_, name: string) => {
      assert.ok(variables.has(name), `there is no variable ${name}`);
      return { namespace: 'vision', job: 'tokens', pod: '.+' }[name] ?? assert.fail(name);
    });
    return await selectionsOf(filled);
  };
  for (const { definition } of templating.list) {
    const [, selector] = /^label_values\((.*), \w+\)$/.exec(definition ?? '') ?? [];
    assert.ok(definition === undefined || (await selectionsIn(selector!)).length === 1, definition);
  }
  return { panels: panels.filter(({ type }) => type !== 'row'), selectionsIn };
}

externalTest(
  'every query of the dashboard asks for what the service exposes, of one release',
  missing,
  async () => {
    const { panels, selectionsIn } = await dashboard();
    const known = await exposedMetrics();
    for (const { title, description, datasource, targets } of panels) {
      assert.match(description ?? '', /\.$/, title);
      assert.deepEqual(datasource, { type: 'prometheus', uid: '${datasource}' });
      for (const { expr, legendFormat } of targets!) {
        const selections = await selectionsIn(expr);
        assert.ok(selections.length > 0, expr);
        for (const { metric, labels } of selections) {
          await check({ metric, labels: labels.filter(({ name }) => name !== 'pod') });
          assert.equal(labels.find(({ name }) => name === 'pod')?.value, '.+', expr);
        }
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          const has = selections.some(({ metric }) => known.get(metric)?.has(label!));
          assert.ok(label === 'pod' || has, `${title}: ${expr} has no label ${label}`);
        }
      }
    }
  },
);

externalTest("the dashboard shows each of the metrics that are the service's own", missing, async () => {
  const { panels, selectionsIn } = await dashboard();
  const exprs = panels.flatMap(({ targets }) => targets!.map(({ expr }) => expr));
  const shown = new Set((await Promise.all(exprs.map(selectionsIn))).flat().map(({ metric }) => metric));
  for (const { name, type } of new Metrics().describe()) {
    const series = type === 'histogram' ? `${name}_bucket` : name;
    assert.ok(shown.has(series), `it does not show ${name}`);
  }
});

test('every alert of the chart has an entry in docs/operations.md', () => {
  const rules = readFileSync('deploy/helm/siglip-hd/templates/prometheusrule.yaml', 'utf8');
  const names = [...rules.matchAll(/"name" "(\w+)"/g)].map(([, name]) => name);
  const entries = [...readFileSync('docs/operations.md', 'utf8').matchAll(/^### (SiglipHd\w+)$/gm)].map(
    ([, name]) => name,
  );
  assert.deepEqual(entries, names);
});
