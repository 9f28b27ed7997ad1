import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { admitAny, type AdmitBytes } from '../../admission/byte-budget.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { listenFailure } from '../listen-failure.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { type EndedRequest, isProbe, logRequest, type RequestLogger } from '../../telemetry/request-log.ts';
import type { VisualEncoder } from '../../encoding/request.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import { type Authenticate, letAnyoneIn } from '../security/authenticate.ts';
import type { TlsIdentity } from '../security/tls-identity.ts';
import { endTrace, type WireCall } from '../../telemetry/request-trace.ts';
import type { Tracer } from '../../telemetry/trace.ts';
import { createApp, type EndpointHandler } from './app.ts';
import { clientErrorAnswer, clientErrorCode } from './client-error.ts';
import { answerCached } from './cached-route.ts';
import { answerEncode } from './encode-route.ts';
import { Exchange } from './answer-writer.ts';
import type { ReadPixels } from './request-images.ts';
import { requestIdOf } from '../request-id.ts';
import { encodeEndpoints, type Endpoint, routes, routesOf } from './routes.ts';
import { systemHandlers } from './system-routes.ts';

export interface HttpLimits {
  /** Most bytes of a request's body, in whatever envelope. */
  readonly maxBodyBytes: number;
  /** Most images of a request. */
  readonly maxImages: number;
  /** Most bytes of the request line and headers. */
  readonly maxHeaderBytes: number;
  /** Connections beyond these are closed as they come. */
  readonly maxConnections: number;
  /** How long a TLS handshake may take. */
  readonly handshakeMs: number;
  /** How long headers, and a whole request, may take to arrive. */
  readonly headersMs: number;
  readonly requestMs: number;
  /** How long an idle connection is kept. */
  readonly keepAliveMs: number;
  /** How long an answer may lie unread. */
  readonly writeIdleMs: number;
  /** The slowest that it may be read, beside that time. */
  readonly readBytesPerSecond: number;
  /** How long the rest of a refused body is read, so that the client comes to read the answer. */
  readonly lingerMs: number;
}

export const defaultHttpLimits: HttpLimits = {
  maxBodyBytes: 20 * 2 ** 20,
  maxImages: 16,
  maxHeaderBytes: 16 * 1024,
  maxConnections: 4096,
  handshakeMs: 10_000,
  headersMs: 10_000,
  requestMs: 60_000,
  keepAliveMs: 72_000,
  writeIdleMs: 30_000,
  readBytesPerSecond: 64 * 1024,
  lingerMs: 5_000,
};

export interface HttpServerOptions {
  readonly encoder: VisualEncoder;
  readonly metrics: Metrics;
  readonly logger: RequestLogger;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The flag that gives another port, for who finds this one taken. */
  readonly portFlag?: string;
  readonly readPixels: ReadPixels;
  /** The endpoints that are there; all when absent. */
  readonly endpoints?: ReadonlySet<Endpoint>;
  /** Without it nothing is traced. */
  readonly tracer?: Tracer | undefined;
  /** Without it every body has room. */
  readonly admitBody?: AdmitBytes;
  /** Without it every request is let in. */
  readonly authenticate?: Authenticate;
  /** Without it connections are in the clear. */
  readonly tls?: TlsIdentity | undefined;
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpServer {
  readonly port: number;
  /** Requests that are not answered yet. */
  readonly underWay: number;
  /** Stops accepting, and resolves when every request under way has its answer. */
  drain(): Promise<void>;
  /** Ends what is left, by `unavailable` where no answer has begun, and frees the port. */
  close(): Promise<void>;
}

/** Listens; rejects with `failed_precondition` when the address cannot be had. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { encoder, metrics, logger, tls: identity } = options;
  const limits = { ...defaultHttpLimits, ...options.limits };
  const { admitBody = admitAny } = options;
  const underWay = new Set<Exchange>();
  const current = new WeakMap<object, Exchange>();
  const bySocket = new WeakMap<Socket, Set<Exchange>>();
  const idleWaiters: (() => void)[] = [];
  let draining = false;

  /** Node closes no response of a pipelined request whose connection ends before its turn. */
  const closeWith = (socket: Socket, exchange: Exchange): void => {
    const known = bySocket.get(socket);
    const exchanges = known ?? new Set<Exchange>();
    exchanges.add(exchange);
    exchange.hold(() => exchanges.delete(exchange));
    if (known !== undefined) return;
    bySocket.set(socket, exchanges);
    socket.once('close', () => {
      for (const each of exchanges) each.close();
    });
  };

  const open = (request: IncomingMessage, response: ServerResponse): Exchange => {
    const exchange = new Exchange(request, response, {
      closing: () => draining,
      writeIdleMs: limits.writeIdleMs,
      readBytesPerSecond: limits.readBytesPerSecond,
      lingerMs: limits.lingerMs,
      tracer: options.tracer,
    });
    underWay.add(exchange);
    current.set(request.socket, exchange);
    closeWith(request.socket, exchange);
    exchange.hold(() => {
      underWay.delete(exchange);
      record(exchange, metrics, logger);
      if (underWay.size === 0) for (const resolve of idleWaiters.splice(0)) resolve();
    });
    return exchange;
  };

  const encode =
    (recipe: RecipeOptions['recipe']): EndpointHandler =>
    (request, reply, exchange) => {
      if (draining) throw stopping();
      const { readPixels } = options;
      if (request.method !== 'POST') return answerCached(request, exchange, { encoder, metrics }, recipe);
      return answerEncode(
        request,
        reply,
        exchange,
        { encoder, metrics, readPixels, admitBody, limits },
        recipe,
      );
    };

  const app = await createApp({
    authenticate: options.authenticate ?? letAnyoneIn,
    routes: options.endpoints === undefined ? routes : routesOf(options.endpoints),
    open,
    onClientError: (error, socket) => {
      const code = clientErrorCode(error);
      const exchange = current.get(socket);
      const isUnderWay = exchange !== undefined && underWay.has(exchange);
      const isLost = error.code === 'ECONNRESET' || !socket.writable;
      // What is no request then came after a whole one, which is to be answered.
      const ofSocket = [...(bySocket.get(socket) ?? [])];
      const whole = ofSocket.findLast((each) => each.arrived && underWay.has(each));
      if (!isLost && whole !== undefined) {
        whole.endConnection();
        return;
      }
      if (isLost || (isUnderWay && exchange.answered)) {
        socket.destroy();
        return;
      }
      if (isUnderWay) exchange.outcome = code;
      else metrics.observeRequest({ transport: 'http', endpoint: 'unmatched', code, durationMs: 0 });
      const id = isUnderWay ? exchange.requestId : requestIdOf(undefined);
      socket.end(clientErrorAnswer(code, id, limits.maxHeaderBytes), () => socket.destroySoon());
    },
    handlers: {
      ...systemHandlers({ encoder, metrics, draining: () => draining }),
      encode: encode(encodeEndpoints.encode),
      teacher_encode: encode(encodeEndpoints.teacher_encode),
      anyres_encode: encode(encodeEndpoints.anyres_encode),
    },
    timeouts: limits,
    maxHeaderBytes: limits.maxHeaderBytes,
    tls: identity && {
      identity,
      handshakeMs: limits.handshakeMs,
      onHandshakeFailed: ({ message }) =>
        logger.debug({ transport: 'http', detail: message }, 'handshake failed'),
    },
  });
  const sockets = new Set<Socket>();
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  app.server.maxConnections = limits.maxConnections;
  const { host, port } = options;
  app.server.listen(port, host);
  await once(app.server, 'listening').catch((error: Error) => {
    throw listenFailure({ host, port, flag: options.portFlag ?? '--http-port' }, error);
  });

  const drain = async (): Promise<void> => {
    draining = true;
    app.server.close();
    app.server.closeIdleConnections();
    // What has not wholly arrived has not begun, and may never arrive.
    for (const exchange of underWay) if (!exchange.arrived && !exchange.answered) exchange.refuse(stopping());
    if (underWay.size > 0) await new Promise<void>((resolve) => idleWaiters.push(resolve));
  };
  return {
    port: (app.server.address() as AddressInfo).port,
    get underWay() {
      return underWay.size;
    },
    drain,
    close: async () => {
      const drained = drain();
      for (const exchange of underWay) exchange.refuse(stopping());
      await nextTurn();
      app.server.closeAllConnections();
      // Node does not count as connections those in the middle of a handshake, but waits for them.
      for (const socket of sockets) socket.destroy();
      await drained;
      await app.close();
    },
  };
}

function stopping(): ServiceError {
  return new ServiceError('unavailable', 'The service is stopping.');
}

/** Counts and logs an exchange that has ended. */
function record(exchange: Exchange, metrics: Metrics, logger: RequestLogger): void {
  const { endpoint, outcome: code, failure } = exchange;
  const caller = exchange.caller.name;
  const durationMs = performance.now() - exchange.startedMs;
  // They would hide what callers get: machines ask every few seconds, and are told often that it is not ready.
  if (!isProbe(endpoint)) metrics.observeRequest({ transport: 'http', endpoint, code, durationMs, caller });
  const ended: EndedRequest = {
    transport: 'http',
    endpoint,
    requestId: exchange.requestId,
    traceId: exchange.traceId,
    caller,
    peer: exchange.peer,
    code,
    durationMs,
    answer: exchange.answer,
    failure,
  };
  logRequest(logger, ended);
  if (exchange.trace !== undefined && !isProbe(endpoint)) endTrace(exchange.trace, ended, wireCall(exchange));
}

/** By OpenTelemetry's conventions for HTTP. */
function wireCall({ method, endpoint, status }: Exchange): WireCall {
  // An alias is told by the name of what it is another of.
  const route = routes.find((one) => one.endpoint === endpoint && one.aliasOf === undefined)?.path;
  return {
    name: route === undefined ? method : `${method} ${route}`,
    attributes: {
      'http.request.method': method,
      'http.response.status_code': status,
      ...(route === undefined ? {} : { 'http.route': route }),
    },
  };
}
