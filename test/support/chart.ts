import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseCommand } from '../../src/cli/settings/parse.ts';
import { importCommand } from '../../src/cli/settings/import.ts';
import { serveCommand } from '../../src/cli/settings/serve.ts';
import { chart, type KubernetesObject, renderText } from './helm.ts';

export interface Container {
  readonly name: string;
  readonly command?: string[];
  readonly args: string[];
  readonly env?: { readonly name: string; readonly value?: string }[];
  readonly resources: { readonly limits: Record<string, unknown> };
  readonly ports: { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly securityContext: Record<string, unknown>;
  readonly [field: string]: unknown;
}

export interface PodSpec {
  readonly containers: Container[];
  readonly initContainers?: Container[];
  readonly volumes: { readonly name: string }[];
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: Record<string, unknown>;
  readonly [field: string]: unknown;
}

/** The chart's defaults and each of the values in its `ci`, with the arguments that helm takes them by. */
export const matrix: readonly { readonly name: string; readonly args: string[] }[] = [
  { name: 'default', args: [] },
  ...readdirSync(join(chart, 'ci')).map((name) => ({
    name: name.replace('-values.yaml', ''),
    args: ['-f', join(chart, 'ci', name)],
  })),
];

export const argsOf = (name: string): string[] => matrix.find((one) => one.name === name)!.args;

/** The object of a kind. */
export function find(objects: readonly KubernetesObject[], kind: string): KubernetesObject {
  const found = objects.find((object) => object.kind === kind);
  assert.ok(found, `there is no ${kind} among ${objects.map((one) => one.kind).join(', ')}`);
  return found;
}

/** The pod of the Deployment, or of another kind that has a template. */
export function podOf(objects: readonly KubernetesObject[], kind = 'Deployment'): PodSpec {
  return (find(objects, kind)['spec'] as { template: { spec: PodSpec } }).template.spec;
}

/** Every pod that the chart makes. */
export function podsOf(objects: readonly KubernetesObject[]): PodSpec[] {
  return objects.flatMap((object): PodSpec[] => {
    if (object.kind === 'Pod') return [object['spec'] as PodSpec];
    return ['Deployment', 'Job', 'StatefulSet'].includes(object.kind) ? [podOf([object], object.kind)] : [];
  });
}

export function containersOf(pod: PodSpec): Container[] {
  return [...pod.containers, ...(pod.initContainers ?? [])];
}

/** Helm's words for values that the chart refuses. */
export async function refusal(...args: string[]): Promise<string> {
  return await renderText(...args).then(
    () => assert.fail(`${args.join(' ')} was taken`),
    (error: Error) => error.message,
  );
}

export const machine = { cores: 4, poolThreads: 8, cacheHome: '/c', hasIpv6: true };

/** The service's reading of the settings that a container gives it; secrets are made up. */
export function parsed(container: Container) {
  const env: Record<string, string> = {};
  for (const { name, value } of container.env ?? []) {
    if (name.startsWith('SIGLIPHD_')) env[name] = value ?? 'redis://redis:6379';
  }
  const [command, ...args] = container.args;
  assert.equal(command, 'serve');
  return parseCommand(serveCommand, { args, env, machine });
}

/** The import command's reading of each container that imports. */
export function parsedImports(objects: readonly KubernetesObject[]) {
  return podsOf(objects)
    .flatMap(containersOf)
    .filter(({ args }) => args?.[0] === 'import')
    .map(({ args }) => parseCommand(importCommand, { args: args.slice(1), env: {}, machine }));
}
