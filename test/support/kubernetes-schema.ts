import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { KubernetesObject } from './helm.ts';

const packages = 'deploy/tools/node_modules';

/** Where the models of an API group are; of those that are not named, with Kubernetes' own. */
const groupPackages: Readonly<Record<string, string>> = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
};

/** Why objects cannot be held against the API's schemas, or undefined. */
export async function missingSchemas(): Promise<string | undefined> {
  if (existsSync(`${packages}/kubernetes-models`)) return undefined;
  return 'the schemas of the Kubernetes API are not there: npm run deploy-tools fetches them';
}

/**
 * What the Kubernetes API would find wrong with an object: values that do not fit, and fields that it does not know.
 */
export async function problemsOf(object: KubernetesObject): Promise<string[]> {
  const { apiVersion, kind } = object;
  const owner = groupPackages[apiVersion.split('/')[0]!] ?? 'kubernetes-models';
  const file = resolve(packages, owner, apiVersion, `${kind}.js`);
  if (!existsSync(file)) return [`there is no ${kind} in ${apiVersion}`];
  const models = (await import(pathToFileURL(file).href)) as Record<
    string,
    { prototype: { validate(): void } }
  >;
  const watched = watch(object);
  try {
    models[kind]!.prototype.validate.call(watched.value);
  } catch (error) {
    return [(error as Error).message];
  }
  return watched.unread();
}

/**
 * The value, and what of it nobody has asked for since. The models' validators ask for every field that their schema
 * names and for no other, so that what they leave is no field; what holds free text they do not look into.
 */
function watch(root: object): { readonly value: object; unread(): string[] } {
  const asked = new Map<object, Set<string>>();
  const wrap = (target: object): object =>
    new Proxy(target, {
      get(_target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof key === 'string') asked.set(target, (asked.get(target) ?? new Set()).add(key));
        return typeof value === 'object' && value !== null ? wrap(value) : value;
      },
    });
  const unread = (target: object, path: string): string[] => {
    const keys = asked.get(target);
    if (keys === undefined) return [];
    return Object.entries(target).flatMap(([key, value]: [string, unknown]) => {
      const name = `${path}.${key}`;
      if (!keys.has(key)) return [`${name.slice(1)} is no field`];
      return typeof value === 'object' && value !== null ? unread(value, name) : [];
    });
  };
  return { value: wrap(root), unread: () => unread(root, '') };
}
