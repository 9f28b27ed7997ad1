import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Budget } from '../../admission/budget.ts';
import type { VisualEncoder } from '../../encoding/request.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { RequestLogger } from '../../telemetry/request-log.ts';
import type { Tracer } from '../../telemetry/trace.ts';
import { listenFailure } from '../listen-failure.ts';
import type { SocketFile } from '../socket-file.ts';
import { OpenInference } from '../open-inference/open-inference.ts';
import type { Authenticate } from '../security/authenticate.ts';
import type { TlsIdentity } from '../security/tls-identity.ts';
import { createApp, type EndpointHandler } from './app.ts';
import { answerCached } from './cached-route.ts';
import { answerEncode } from './encode-route.ts';
import { JsonPool } from './json-pool.ts';
import { openInferenceHandlers } from './open-inference/handlers.ts';
import { defaultHttpLimits, type HttpLimits } from './limits.ts';
import { OpenRequests } from './open-requests.ts';
import type { ReadPixels } from './request-images.ts';
import { encodeEndpoints, type Endpoint, routes, routesOf } from './routes.ts';
import { systemHandlers } from './system-routes.ts';

export interface HttpAppOptions {
  readonly encoder: VisualEncoder;
  readonly metrics: Metrics;
  readonly logger: RequestLogger;
  readonly readPixels: ReadPixels;
  /** The endpoints to serve; all if absent. */
  readonly endpoints?: ReadonlySet<Endpoint>;
  /** If absent, nothing is traced. */
  readonly tracer?: Tracer | undefined;
  /** Answers the Open Inference Protocol; of its own where absent. */
  readonly openInference?: OpenInference;
  /** Limits the bytes of all bodies. Unlimited if absent. */
  readonly budget?: Budget | undefined;
  /** If absent, every request is accepted. */
  readonly authenticate?: Authenticate;
  /** If absent, connections are not encrypted. */
  readonly tls?: TlsIdentity | undefined;
  /** Origins whose pages may use the API, or `*` for any; none if absent. */
  readonly corsOrigins?: readonly string[] | undefined;
  readonly limits?: Partial<HttpLimits>;
  /** The package's version, for the description of the API. */
  readonly version?: string | undefined;
  /** That of the service, which the playground names; undefined until it listens. */
  readonly grpcPort?: () => number | undefined;
}

export interface HttpServerOptions extends HttpAppOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The flag that sets the port, for the error if it is in use. */
  readonly portFlag?: string;
  /** Listens on this socket in place of a port. */
  readonly socket?: SocketFile;
}

export interface HttpServer {
  /** 0 if it listens on a socket. */
  readonly port: number;
  /** Requests that are not answered yet. */
  readonly underWay: number;
  /** Accepts no more connections, and resolves when every request under way has been answered. */
  drain(): Promise<void>;
  /** Ends all requests, with `unavailable` if their answers have not begun, and frees the port. */
  close(): Promise<void>;
}

/** Starts to listen. Rejects with `failed_precondition` if the address or the socket cannot be used. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { socket } = options;
  const { app, requests } = await createHttpApp(options);
  const { server } = app;
  const sockets = new Set<Socket>();
  server.on('connection', (connected: Socket) => {
    sockets.add(connected);
    connected.once('close', () => sockets.delete(connected));
  });
  await listen(server, options);
  const address = server.address();
  const drain = async (): Promise<void> => {
    socket?.remove();
    server.close();
    server.closeIdleConnections();
    requests.drain(stopping());
    await requests.idle();
  };
  return {
    port: address !== null && typeof address === 'object' ? address.port : 0,
    get underWay() {
      return requests.underWay;
    },
    drain,
    close: async () => {
      const drained = drain();
      requests.abort(stopping());
      // Lets the refusals be written.
      await nextTurn();
      server.closeAllConnections();
      // Node waits for connections in the middle of a TLS handshake without counting them.
      for (const connected of sockets) connected.destroy();
      await drained;
      await app.close();
    },
  };
}

async function listen(
  server: Server,
  { host, port, portFlag = '--http-port', socket }: HttpServerOptions,
): Promise<void> {
  if (socket === undefined) server.listen(port, host);
  else server.listen(socket.listenPath);
  await once(server, 'listening').catch((error: Error) => {
    throw socket?.failure(error) ?? listenFailure({ host, port, flag: portFlag }, error);
  });
  await socket?.publish().catch((thrown: unknown) => {
    server.close();
    throw thrown;
  });
}

/** The server without a port. */
export async function createHttpApp(
  options: HttpAppOptions,
): Promise<{ readonly app: FastifyInstance; readonly requests: OpenRequests }> {
  const { encoder, metrics, logger, readPixels, budget, tracer, version = 'unknown' } = options;
  const { grpcPort = () => undefined } = options;
  const limits = { ...defaultHttpLimits, ...options.limits };
  const requests = new OpenRequests({ logger, metrics, tracer }, limits);
  const jsonPool = new JsonPool((error) => logger.error({ err: error }, 'the JSON thread died'));
  const { maxImages } = limits;
  const openInference = options.openInference ?? new OpenInference({ encoder, maxImages, version });
  const settings = { encoder, metrics, limits, budget, jsonPool, readPixels };
  const encode =
    (recipe: RecipeOptions['recipe']): EndpointHandler =>
    (request, reply) => {
      if (requests.isDraining) throw stopping();
      const answer = request.method === 'POST' ? answerEncode : answerCached;
      return answer(request, reply, settings, recipe);
    };
  const app = await createApp({
    requests,
    limits,
    routes: options.endpoints === undefined ? routes : routesOf(options.endpoints),
    handlers: {
      ...systemHandlers({ encoder, metrics, isDraining: () => requests.isDraining, version, grpcPort }),
      ...openInferenceHandlers({ ...settings, openInference }, () => requests.isDraining),
      encode: encode(encodeEndpoints.encode),
      teacher_encode: encode(encodeEndpoints.teacher_encode),
      anyres_encode: encode(encodeEndpoints.anyres_encode),
    },
    authenticate: options.authenticate,
    corsOrigins: options.corsOrigins,
    tls: options.tls,
    onHandshakeFailed: ({ message }) =>
      logger.debug({ transport: 'http', detail: message }, 'handshake failed'),
    onClose: () => jsonPool.close(),
  });
  return { app, requests };
}

function stopping(): ServiceError {
  return new ServiceError('unavailable', 'The service is stopping.');
}
