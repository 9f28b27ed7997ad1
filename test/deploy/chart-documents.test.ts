import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { importCommand } from '../../src/cli/settings/import.ts';
import { readSetting } from '../../src/cli/settings/read-setting.ts';
import { serveCommand } from '../../src/cli/settings/serve.ts';
import type { Setting } from '../../src/cli/settings/setting.ts';
import { exposedMetrics } from '../support/exposed-metrics.ts';
import { chart } from '../support/helm.ts';

interface Value {
  readonly section: string;
  readonly name: string;
  readonly standard: string;
  readonly comment: string;
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
}

const { readValues } = (await import(pathToFileURL(resolve('scripts/chart-readme.js')).href)) as {
  readonly readValues: (yaml: string) => Value[];
};
const { chartSettings, importSettings } = (await import(
  pathToFileURL(resolve('scripts/chart-schema.js')).href
)) as { chartSettings: readonly string[]; importSettings: readonly string[] };

const read = (name: string) => readFileSync(join(chart, name), 'utf8');
const values = readValues(read('values.yaml'));
const schema = JSON.parse(read('values.schema.json')) as Schema;
const settings: Readonly<Record<string, Setting>> = serveCommand.settings;
const configSchema = schema.properties!['config']!.properties!;

/** The names of the values that a schema has, as --set has them. Config, strategy and a probe are one value each. */
function leaves({ properties }: Schema, path: readonly string[] = []): string[] {
  const isWhole =
    path[0] === 'config' || path[0] === 'strategy' || (path[0] === 'probes' && path.length === 2);
  if (properties === undefined || isWhole) return [path.join('.')];
  return Object.entries(properties).flatMap(([name, inner]) => leaves(inner, [...path, name]));
}

test('the chart has a comment, a default and a row in the README for every value of its schema', () => {
  const names = values.map(({ name }) => name);
  assert.deepEqual(
    names.toSorted(),
    leaves(schema)
      .filter((name) => name !== 'global')
      .toSorted(),
  );
  const readme = read('README.md');
  for (const { name, standard } of values) {
    assert.ok(readme.includes(`\n| \`${name}\` | \`${standard.replaceAll('|', '\\|')}\` | `), name);
  }
});

test('a value without a comment is refused, and so is a line that is no value', () => {
  assert.throws(() => readValues('# One.\na: 1\nb: 2\n'), /b has no comment/);
  assert.throws(() => readValues('# One.\na:\n  - 1\n'), /line 3 is neither a comment nor a value/);
  assert.deepEqual(readValues('# == S ==\n\na:\n  # Two.\n  b: {}\n# Three.\nc: 3\n'), [
    { section: 'S', name: 'a.b', standard: '{}', comment: 'Two.' },
    { section: 'S', name: 'c', standard: '3', comment: 'Three.' },
  ]);
});

test("the chart's version is the service's", () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const [, own] = /^version: (.+)$/m.exec(read('Chart.yaml'))!;
  const [, app] = /^appVersion: (.+)$/m.exec(read('Chart.yaml'))!;
  assert.deepEqual([own, app], [version, version]);
});

test('config takes every setting of serve that the chart does not give itself', () => {
  assert.deepEqual(
    [...Object.keys(configSchema), ...chartSettings].toSorted(),
    Object.keys(settings).toSorted(),
  );
});

test('config takes a value where the service does', () => {
  for (const [name, { minimum, maximum, pattern, enum: choices }] of Object.entries(configSchema)) {
    const setting = settings[name]!;
    const takes = (value: number) => readSetting(setting, String(value)).ok;
    if (minimum !== undefined && maximum !== undefined) {
      assert.ok(takes(minimum) && takes(maximum), name);
      assert.ok(!takes(minimum - 1) && !takes(maximum + 1), name);
    }
    for (const choice of choices ?? []) assert.ok(readSetting(setting, choice).ok, `${name} ${choice}`);
    if (pattern === undefined) continue;
    for (const text of ['1GiB', '2048KiB', '2000000']) {
      assert.ok(new RegExp(pattern).test(text) && readSetting(setting, text).ok, `${name} ${text}`);
    }
    for (const text of ['12MB', '1 GiB', '1.5GiB', '']) {
      assert.ok(!new RegExp(pattern).test(text) && !readSetting(setting, text).ok, `${name} ${text}`);
    }
  }
});

test('the settings of an import are those of the command', () => {
  for (const name of importSettings) assert.ok(name in importCommand.settings, name);
});

test('metrics that the chart names anywhere are exposed', async () => {
  const known = await exposedMetrics();
  const templates = ['prometheusrule', 'scaledobject', 'horizontalpodautoscaler'];
  const texts = [...templates.map((name) => read(`templates/${name}.yaml`)), read('README.md')];
  for (const [name] of texts.join('\n').matchAll(/\bsiglip_hd_[a-z0-9_]+/g)) {
    assert.ok(known.has(name), `the service exposes no ${name}`);
  }
});
