import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import multipart from '@fastify/multipart';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { ServiceError } from '../../errors/service-error.ts';
import type { Authenticate, Credentials } from '../security/authenticate.ts';
import type { Exchange } from './answer-writer.ts';
import { createListener, type ListenerTls } from './listener.ts';
import { problem } from './problem.ts';
import { allowedMethods, type Endpoint, openEndpoints, type Route } from './routes.ts';

/** Answers one endpoint through the exchange; what it throws becomes a problem. */
export type EndpointHandler = (
  request: FastifyRequest,
  reply: FastifyReply,
  exchange: Exchange,
) => void | Promise<void>;

export interface AppSettings {
  readonly routes: readonly Route[];
  readonly handlers: Readonly<Record<Endpoint, EndpointHandler>>;
  /** Asked before anything else of a request is looked at, but for the open endpoints. */
  readonly authenticate: Authenticate;
  /** Called first for each request; gives the exchange that answers it. */
  readonly open: (request: IncomingMessage, response: ServerResponse) => Exchange;
  /** For bytes that are no request, and requests that do not arrive in time. */
  readonly onClientError: (error: NodeJS.ErrnoException, socket: Socket) => void;
  readonly timeouts: { readonly headersMs: number; readonly requestMs: number; readonly keepAliveMs: number };
  readonly maxHeaderBytes: number;
  /** Without it connections are in the clear. */
  readonly tls?: ListenerTls | undefined;
}

/**
 * The fastify application, ready but not listening: it routes, and every answer is written by an exchange.
 * `server` is its node server, for listen and close.
 */
export async function createApp(settings: AppSettings): Promise<FastifyInstance> {
  const exchanges = new WeakMap<IncomingMessage, Exchange>();
  const fail = (thrown: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    reply.hijack();
    exchanges.get(request.raw)?.fail(thrown);
  };
  const app = fastify({
    logger: false,
    serverFactory: (handler) =>
      listener(settings, (request, response) => {
        const exchange = settings.open(request, response);
        exchanges.set(request, exchange);
        if (request.httpVersion === '1.1' && request.headers.host === undefined) {
          exchange.fail(new ServiceError('invalid_argument', 'An HTTP/1.1 request needs a Host header.'));
          return;
        }
        forgetBadContentType(request);
        handler(request, response);
      }),
    clientErrorHandler: settings.onClientError,
    frameworkErrors: fail,
  });
  app.setErrorHandler(fail);
  app.setNotFoundHandler((request, reply) => {
    reply.hijack();
    const exchange = exchanges.get(request.raw);
    if (exchange !== undefined) answerNoRoute(settings.routes, request, exchange);
  });
  app.removeAllContentTypeParsers();
  await app.register(multipart);
  // Left unread: the handler reads it after everything else has been checked.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  for (const { method, path, endpoint } of settings.routes) {
    app.route({
      method,
      url: path,
      handler: async (request, reply) => {
        reply.hijack();
        const exchange = exchanges.get(request.raw);
        if (exchange === undefined) return;
        exchange.endpoint = endpoint;
        try {
          if (!openEndpoints.has(endpoint)) exchange.caller = settings.authenticate(credentialsOf(request));
          await settings.handlers[endpoint](request, reply, exchange);
        } catch (thrown) {
          exchange.fail(thrown);
        }
      },
    });
  }
  await app.ready();
  return app;
}

function listener(
  settings: AppSettings,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  const { timeouts, tls } = settings;
  const options = {
    headersTimeout: Math.min(timeouts.headersMs, timeouts.requestMs),
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionsCheckingInterval: Math.max(50, Math.min(5000, timeouts.headersMs / 4, timeouts.requestMs / 4)),
    maxHeaderSize: settings.maxHeaderBytes,
    // createApp refuses its absence, with the service's own words.
    requireHostHeader: false,
  };
  return createListener(options, handle, tls);
}

/** Node joins what comes twice, which is then no key. */
function credentialsOf({ headers: { authorization, 'x-api-key': key } }: FastifyRequest): Credentials {
  return { authorization, 'x-api-key': key?.toString() };
}

/** Fastify refuses what is not a media type; here the bytes decide, so such a header says nothing. */
function forgetBadContentType(request: IncomingMessage): void {
  const type = request.headers['content-type'];
  if (type !== undefined && !/^\s*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;|$)/.test(type)) {
    delete request.headers['content-type'];
  }
}

function answerNoRoute(routes: readonly Route[], request: FastifyRequest, exchange: Exchange): void {
  const path = request.url.split('?', 1)[0] ?? '';
  const allow = allowedMethods(routes, path);
  if (allow === undefined) {
    exchange.fail(
      new ServiceError('not_found', `There is no ${path.slice(0, 128)}; /docs says what there is.`),
    );
    return;
  }
  const refusal = {
    code: 'method_not_allowed',
    message: `${path} takes ${allow}, not ${request.method}.`,
  } as const;
  exchange.sendProblem(problem(refusal, exchange.requestId), { allow });
}
