import type { RecipeOptions } from '../../recipes/recipe-options.ts';

/** The endpoints that return tokens, with their recipes. */
export const encodeEndpoints = {
  encode: 'encode',
  teacher_encode: 'teacher',
  anyres_encode: 'anyres',
} as const satisfies Record<string, RecipeOptions['recipe']>;
export type EncodeEndpoint = keyof typeof encodeEndpoints;

/** The endpoints of the HTTP API; also the `endpoint` label of metrics. */
export type Endpoint =
  | EncodeEndpoint
  | 'plan'
  | 'models'
  | 'healthz'
  | 'readyz'
  | 'metrics'
  | 'openapi'
  | 'docs';

/** The endpoints that need no API key: those of probes and scrapers, and the description of the API. */
export const openEndpoints: ReadonlySet<Endpoint> = new Set([
  'healthz',
  'readyz',
  'metrics',
  'openapi',
  'docs',
]);

export interface Route {
  readonly endpoint: Endpoint;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** The path of which this one is an alias. */
  readonly aliasOf?: string;
}

/** Every route of the API. Registration, the Allow header of a 405 and /openapi.json come from this table. */
export const routes: readonly Route[] = [
  { endpoint: 'encode', method: 'GET', path: '/v1/encode' },
  { endpoint: 'encode', method: 'GET', path: '/encode', aliasOf: '/v1/encode' },
  { endpoint: 'teacher_encode', method: 'GET', path: '/v1/teacher-encode' },
  { endpoint: 'teacher_encode', method: 'GET', path: '/teacher-encode', aliasOf: '/v1/teacher-encode' },
  { endpoint: 'anyres_encode', method: 'GET', path: '/v1/anyres-encode' },
  { endpoint: 'anyres_encode', method: 'GET', path: '/anyres-encode', aliasOf: '/v1/anyres-encode' },
  { endpoint: 'encode', method: 'POST', path: '/v1/encode' },
  { endpoint: 'encode', method: 'POST', path: '/encode', aliasOf: '/v1/encode' },
  { endpoint: 'teacher_encode', method: 'POST', path: '/v1/teacher-encode' },
  { endpoint: 'teacher_encode', method: 'POST', path: '/teacher-encode', aliasOf: '/v1/teacher-encode' },
  { endpoint: 'anyres_encode', method: 'POST', path: '/v1/anyres-encode' },
  { endpoint: 'anyres_encode', method: 'POST', path: '/anyres-encode', aliasOf: '/v1/anyres-encode' },
  { endpoint: 'plan', method: 'GET', path: '/v1/plan' },
  { endpoint: 'models', method: 'GET', path: '/v1/models' },
  { endpoint: 'healthz', method: 'GET', path: '/healthz' },
  { endpoint: 'readyz', method: 'GET', path: '/readyz' },
  { endpoint: 'metrics', method: 'GET', path: '/metrics' },
  { endpoint: 'openapi', method: 'GET', path: '/openapi.json' },
  { endpoint: 'docs', method: 'GET', path: '/docs' },
];

/** The endpoints of a separate port for metrics. */
export const metricsEndpoints: ReadonlySet<Endpoint> = new Set(['metrics', 'healthz', 'readyz']);

/** The endpoints of the HTTP port where metrics have a separate one. */
export const otherEndpoints: ReadonlySet<Endpoint> = new Set(
  routes.map(({ endpoint }) => endpoint).filter((endpoint) => endpoint !== 'metrics'),
);

/** The routes of some endpoints. */
export function routesOf(endpoints: ReadonlySet<Endpoint>): readonly Route[] {
  return routes.filter(({ endpoint }) => endpoints.has(endpoint));
}

/** The methods of a path as an Allow header lists them; undefined if no route has the path. */
export function allowedMethods(served: readonly Route[], path: string): string | undefined {
  const methods = served.filter((route) => route.path === path).map((route) => route.method);
  if (methods.length === 0) return undefined;
  return methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
}
