import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Finished, runProgram } from './external.ts';

export const chart = 'deploy/helm/siglip-hd';

const fetched = 'deploy/tools/bin/helm';
const helm = process.env.HELM ?? (existsSync(fetched) ? fetched : 'helm');

/** An object of Kubernetes', as a template gives it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** Runs helm, away from any cluster. */
export function runHelm(...args: string[]): Promise<Finished> {
  return runProgram(helm, args, { KUBECONFIG: '/nonexistent' });
}

let version: Promise<string | undefined> | undefined;

function helmVersion(): Promise<string | undefined> {
  version ??= runHelm('version', '--short').then(({ exitCode, stdout }) =>
    exitCode === 0 ? stdout.trim() : undefined,
  );
  return version;
}

/** Why tests that need helm cannot run, or undefined. */
export async function missingHelm(): Promise<string | undefined> {
  if ((await helmVersion()) !== undefined) return undefined;
  return 'there is no helm: npm run deploy-tools fetches it, or HELM says where it is';
}

/** The same for those that hold helm's own words, or what helm 3 asks a cluster for. */
export async function missingHelm4(): Promise<string | undefined> {
  const found = await helmVersion();
  return found === undefined || found.startsWith('v4.') ? missingHelm() : `helm is ${found}, not 4`;
}

/** The chart's text for a release `tokens` in the namespace `vision`. Throws helm's own words where it refuses. */
export async function renderText(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runHelm('template', 'tokens', chart, '-n', 'vision', ...args);
  if (exitCode !== 0) throw new Error(stderr);
  return stdout;
}

/** The objects of the same. */
export async function render(...args: string[]): Promise<KubernetesObject[]> {
  return (await readYaml(await renderText(...args))) as KubernetesObject[];
}

/**
 * The documents of a YAML text, read by helm itself: no package of ours reads YAML, and helm reads it as the cluster
 * will.
 */
export async function readYaml(yaml: string): Promise<unknown[]> {
  const folder = await mkdtemp(join(tmpdir(), 'siglip-hd-yaml-'));
  try {
    await mkdir(join(folder, 'templates'));
    await writeFile(join(folder, 'Chart.yaml'), 'apiVersion: v2\nname: reader\nversion: 0.0.0\n');
    await writeFile(join(folder, 'in.yaml'), `\n${yaml}`);
    await writeFile(
      join(folder, 'templates/out.yaml'),
      '{{ range splitList "\\n---" (.Files.Get "in.yaml") }}\n#json {{ fromYaml . | toJson }}\n{{ end }}',
    );
    const { exitCode, stdout, stderr } = await runHelm('template', 'reader', folder);
    if (exitCode !== 0) throw new Error(stderr);
    const lines = stdout.split('\n').filter((line) => line.startsWith('#json '));
    const documents = lines.map((line) => JSON.parse(line.slice(6)) as Record<string, unknown>);
    for (const { Error: problem } of documents) if (typeof problem === 'string') throw new Error(problem);
    return documents.filter((document) => Object.keys(document).length > 0);
  } finally {
    await rm(folder, { recursive: true });
  }
}
