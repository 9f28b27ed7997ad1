import type { RecipeOptions } from '../../recipes/recipe-options.ts';

/** The endpoints that return tokens, with their recipes. */
export const encodeEndpoints = {
  encode: 'encode',
  teacher_encode: 'teacher',
  anyres_encode: 'anyres',
} as const satisfies Record<string, RecipeOptions['recipe']>;
export type EncodeEndpoint = keyof typeof encodeEndpoints;

/** The endpoints of the Open Inference Protocol. */
const openInferenceEndpoints = [
  'infer',
  'server_live',
  'server_ready',
  'server_metadata',
  'model_ready',
  'model_metadata',
  'model_config',
  'model_statistics',
  'model_index',
] as const;
export type OpenInferenceEndpoint = (typeof openInferenceEndpoints)[number];

/** The endpoints of the HTTP API; also the `endpoint` label of metrics. */
export type Endpoint =
  | EncodeEndpoint
  | OpenInferenceEndpoint
  | 'plan'
  | 'models'
  | 'healthz'
  | 'readyz'
  | 'metrics'
  | 'openapi'
  | 'docs'
  | 'playground';

/** The endpoints that need no API key: those of probes and scrapers, the description of the API, and the pages. */
export const openEndpoints: ReadonlySet<Endpoint> = new Set([
  'healthz',
  'readyz',
  'metrics',
  'openapi',
  'docs',
  'playground',
  'server_live',
  'server_ready',
]);

export interface Route {
  readonly endpoint: Endpoint;
  readonly method: 'GET' | 'POST';
  /** As fastify writes it: `:model` stands for any text without a slash. */
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
  { endpoint: 'playground', method: 'GET', path: '/' },
  { endpoint: 'server_metadata', method: 'GET', path: '/v2' },
  { endpoint: 'server_live', method: 'GET', path: '/v2/health/live' },
  { endpoint: 'server_ready', method: 'GET', path: '/v2/health/ready' },
  { endpoint: 'model_index', method: 'POST', path: '/v2/repository/index' },
  {
    endpoint: 'model_statistics',
    method: 'GET',
    path: '/v2/models/stats',
    aliasOf: '/v2/models/:model/stats',
  },
  ...ofModel('model_metadata', 'GET', ''),
  ...ofModel('model_ready', 'GET', '/ready'),
  ...ofModel('model_config', 'GET', '/config'),
  ...ofModel('model_statistics', 'GET', '/stats'),
  ...ofModel('infer', 'POST', '/infer'),
];

/** The path of a model, and the one with its version. */
function ofModel(endpoint: OpenInferenceEndpoint, method: Route['method'], end: string): Route[] {
  const path = `/v2/models/:model${end}`;
  return [
    { endpoint, method, path },
    { endpoint, method, path: `/v2/models/:model/versions/:version${end}`, aliasOf: path },
  ];
}

/** The endpoints of a separate port for metrics. */
export const metricsEndpoints: ReadonlySet<Endpoint> = new Set(['metrics', 'healthz', 'readyz']);

/** The endpoints of the HTTP port. */
export function mainEndpoints(without: {
  readonly metrics: boolean;
  readonly playground: boolean;
}): ReadonlySet<Endpoint> {
  const left = routes.map(({ endpoint }) => endpoint);
  return new Set(left.filter((name) => (name !== 'metrics' && name !== 'playground') || !without[name]));
}

/** The routes of some endpoints. */
export function routesOf(endpoints: ReadonlySet<Endpoint>): readonly Route[] {
  return routes.filter(({ endpoint }) => endpoints.has(endpoint));
}

/** The methods of a path as an Allow header lists them; undefined if no route has the path. */
export function allowedMethods(served: readonly Route[], path: string): string | undefined {
  const methods = served.filter((route) => isPath(route.path, path)).map((route) => route.method);
  if (methods.length === 0) return undefined;
  return methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
}

function isPath(pattern: string, path: string): boolean {
  return new RegExp(`^${pattern.replaceAll('.', '\\.').replace(/:\w+/g, '[^/]+')}$`).test(path);
}

/** Whether a URL is of the Open Inference Protocol, known or not. */
export function isOpenInference(url: string): boolean {
  return /^\/v2(?:[/?]|$)/.test(url);
}
