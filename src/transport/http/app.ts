import cors from '@fastify/cors';
import multipart from '@fastify/multipart';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { didYouMean } from '../../errors/did-you-mean.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { requestIdKey, requestIdOf } from '../request-id.ts';
import { type Authenticate, allowAnonymous } from '../security/authenticate.ts';
import { addDocs } from './docs-page.ts';
import type { HttpLimits } from './limits.ts';
import { isArriving, lingering } from './linger.ts';
import { createListener, type ListenerOptions } from './listener.ts';
import type { OpenRequests } from './open-requests.ts';
import { headLengthHeader } from './open-inference/infer-body.ts';
import { addPlayground } from './playground.ts';
import { HttpRefusal, problem, serviceError } from './problem.ts';
import { readInTime } from './read-in-time.ts';
import { credentialsOf } from './request-head.ts';
import { allowedMethods, type Endpoint, isOpenInference, openEndpoints, type Route } from './routes.ts';

/** Handles an endpoint. What it throws is sent as a problem. */
export type EndpointHandler = (request: FastifyRequest, reply: FastifyReply) => unknown;

export interface AppSettings extends ListenerOptions {
  readonly routes: readonly Route[];
  readonly handlers: Readonly<Record<Endpoint, EndpointHandler>>;
  readonly requests: OpenRequests;
  /** Called before a body is read, except for the open endpoints. If absent, every request is accepted. */
  readonly authenticate?: Authenticate | undefined;
  /** Origins whose pages may use the API, or `*` for any; none if absent. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** Called when the application closes. */
  readonly onClose: () => Promise<void>;
}

/** Headers of answers that a page of another origin may read. */
const exposedHeaders = [
  requestIdKey,
  'etag',
  headLengthHeader,
  'retry-after',
  'retry-after-ms',
  'server-timing',
  'tokens-cache',
  'tokens-meta',
];

/** No route has a schema, and fastify would load two compilers for them, some 200 files. */
const noSchemas = {
  buildValidator: () => refuseSchema,
  buildSerializer: () => refuseSchema,
};

function refuseSchema(): never {
  throw new Error('This application has no schema compiler.');
}

/** The fastify application, ready but not listening. */
export async function createApp(settings: AppSettings): Promise<FastifyInstance> {
  const { requests, limits, corsOrigins = [] } = settings;
  const app = fastify({
    logger: false,
    schemaController: { compilersFactory: noSchemas },
    genReqId: (request) => requestIdOf(request.headers[requestIdKey]),
    serverFactory: (handle) => createListener(settings, handle),
    clientErrorHandler: (error, socket) => requests.onClientError(error, socket),
    frameworkErrors: (error, request, reply) => {
      requests.begin(request, reply);
      answerError(error, request, reply);
    },
  });
  app.decorateRequest('outcome', 'ok');
  app.addHook('onRequest', (request, reply, done) => {
    requests.begin(request, reply);
    ignoreBadContentType(request);
    done();
  });
  if (corsOrigins.length > 0) {
    await app.register(cors, {
      origin: [...corsOrigins],
      exposedHeaders,
      maxAge: 600,
      strictPreflight: false,
    });
  }
  app.addHook('onRequest', (request, _reply, done) => {
    authenticate(settings, request);
    done();
  });
  app.addHook('onSend', async (request, reply, payload) => finishAnswer(limits, request, reply, payload));
  app.addHook('onClose', settings.onClose);
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request, reply) => answerNoRoute(settings.routes, request, reply));
  app.removeAllContentTypeParsers();
  await addForms(app);
  // Leaves the body unread: a handler reads it once everything else has been checked.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  for (const { method, path, endpoint } of settings.routes) {
    app.route({ method, url: path, config: { endpoint }, handler: settings.handlers[endpoint] });
  }
  const has = (page: Endpoint): boolean => settings.routes.some(({ endpoint }) => endpoint === page);
  if (has('playground')) addPlayground(app);
  if (has('docs')) addDocs(app, has('playground'));
  await app.ready();
  return app;
}

/**
 * Adds @fastify/multipart without its hooks. They remove files that `saveRequestFiles()` has written, which nothing here
 * calls, and put a turn of promises before the handler of every request.
 */
async function addForms(app: FastifyInstance): Promise<void> {
  const withoutHooks = Object.create(app, { addHook: { value: () => withoutHooks } }) as FastifyInstance;
  await new Promise<void>((resolve, reject) => {
    multipart(withoutHooks, {}, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

function authenticate({ authenticate: check = allowAnonymous }: AppSettings, request: FastifyRequest): void {
  const { endpoint } = request.routeOptions.config;
  if (request.is404 || (endpoint !== undefined && openEndpoints.has(endpoint))) return;
  request.scope.caller = check(credentialsOf(request));
}

/** Fastify refuses a content type that is not a media type. Here the bytes decide, so such a header is ignored. */
function ignoreBadContentType(request: FastifyRequest): void {
  if (request.mediaType === undefined || request.mediaType === '') delete request.raw.headers['content-type'];
}

/** Sends what was thrown as a problem. */
function answerError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const failure = serviceError(thrown);
  const { code, status, headers, body } = problem(failure, request.id, isOpenInference(request.url));
  request.scope.failure = failure;
  request.outcome = code;
  reply.code(status).headers(headers).send(body);
}

/** Limits the time to read an answer, and keeps the connection of a client that is still sending open until then. */
function finishAnswer(
  limits: HttpLimits,
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): unknown {
  if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload;
  const sizeBytes = Buffer.byteLength(payload);
  readInTime(reply.raw, sizeBytes, limits);
  if (!isArriving(request.raw)) return payload;
  reply.header('connection', 'close').header('content-length', sizeBytes);
  return lingering(payload, request.raw, limits.lingerMs);
}

/**
 * Answers OPTIONS for any path that has a route. Without origins to allow, a browser then tells its user that CORS is
 * what is missing; it would take a 405 for a broken service.
 */
function answerNoRoute(routes: readonly Route[], request: FastifyRequest, reply: FastifyReply): void {
  const path = request.url.split('?', 1)[0] ?? '';
  const methods = allowedMethods(routes, path === '/' ? '/docs' : path);
  if (methods !== undefined) {
    const allow = `${methods}, OPTIONS`;
    if (request.method !== 'OPTIONS') {
      const message = `${path} takes ${methods}, not ${request.method}.${methodHint(path, request.method, methods)}`;
      throw new HttpRefusal('method_not_allowed', message, { allow });
    }
    reply.code(204).header('allow', allow).send();
    return;
  }
  const paths = routes.map((route) => route.path);
  throw new ServiceError(
    'not_found',
    `The service has no path ${path.slice(0, 128)}; /docs lists its paths.${nearestPath(path, paths)}`,
  );
}

/** What a client that sends an image should do instead. */
function methodHint(path: string, method: string, methods: string): string {
  if (path === '/' && (method === 'POST' || method === 'PUT')) return ' POST images to /v1/encode.';
  if (method !== 'PUT' || !methods.includes('POST')) return '';
  return ' curl -T sends PUT: use --data-binary @FILE instead.';
}

/** Suggests the path with the same last part, as in /v1/images/encode, or else the one that is spelt most like it. */
function nearestPath(path: string, paths: readonly string[]): string {
  const last = path.slice(path.lastIndexOf('/'));
  const same = last.length > 1 ? paths.find((known) => known.endsWith(last)) : undefined;
  return same === undefined ? didYouMean(path, paths) : ` Did you mean "${same}"?`;
}
