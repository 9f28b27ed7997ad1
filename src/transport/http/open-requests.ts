import type { Socket } from 'node:net';
import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../../errors/service-error.ts';
import { hostPort } from '../../network/host-port.ts';
import type { Outcome } from '../../telemetry/metrics.ts';
import type { RequestReports, RequestScope } from '../../telemetry/request-scope.ts';
import { RequestScopes } from '../../telemetry/request-scopes.ts';
import type { WireCall } from '../../telemetry/request-trace.ts';
import { requestIdKey, requestIdOf } from '../request-id.ts';
import type { HttpLimits } from './limits.ts';
import { isArriving } from './linger.ts';
import { HttpRefusal, problem } from './problem.ts';
import { type Endpoint, routes } from './routes.ts';

declare module 'fastify' {
  interface FastifyRequest {
    scope: RequestScope;
    /** How the request ended, or will unless something goes wrong. */
    outcome: Outcome;
  }
  interface FastifyContextConfig {
    /** Absent for a route that is not part of the API. */
    endpoint?: Endpoint;
  }
}

/** What Node reports of bytes that never became a request. */
interface ClientError extends Error {
  readonly code?: string;
  /** The last bytes that arrived, as a Buffer; absent after a timeout. */
  readonly rawPacket?: unknown;
}

interface OpenRequest {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** The requests of one server, each from its headers until its response has closed. */
export class OpenRequests {
  readonly #scopes: RequestScopes;
  readonly #reports: RequestReports;
  readonly #limits: HttpLimits;
  readonly #open = new Set<OpenRequest>();
  /** The latest request of each connection, if it is open. */
  readonly #latest = new WeakMap<Socket, OpenRequest>();
  #isDraining = false;

  constructor(reports: RequestReports, limits: HttpLimits) {
    this.#reports = reports;
    this.#limits = limits;
    this.#scopes = new RequestScopes('http', reports);
  }

  get underWay(): number {
    return this.#scopes.underWay;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Resolves when no request is under way. */
  idle(): Promise<void> {
    return this.#scopes.idle();
  }

  begin(request: FastifyRequest, reply: FastifyReply): void {
    const { headers, socket } = request.raw;
    const response = reply.raw;
    const scope = this.#scopes.begin({
      requestId: request.id,
      peer: peerOf(socket),
      readHeader: (key) => headers[key]?.toString(),
    });
    scope.endpoint = request.routeOptions.config.endpoint ?? 'unmatched';
    request.scope = scope;
    reply.header(requestIdKey, request.id).header('x-content-type-options', 'nosniff');
    const opened = { request, reply };
    this.#open.add(opened);
    this.#latest.set(socket, opened);
    if (this.#isDraining) reply.header('connection', 'close');
    let isFinished = false;
    response.once('finish', () => {
      isFinished = true;
    });
    const end = (): void => {
      socket.off('close', end);
      response.off('close', end);
      this.#open.delete(opened);
      if (this.#latest.get(socket) === opened) this.#latest.delete(socket);
      if (!isFinished) {
        if (request.outcome === 'ok') request.outcome = 'cancelled';
        scope.abort(new ServiceError('cancelled', 'The client went away.'));
      }
      scope.end(request.outcome, () => wireCall(opened));
    };
    response.once('close', end);
    // The response to a pipelined request does not close when the connection ends before its turn.
    socket.setMaxListeners(0).once('close', end);
  }

  /**
   * Closes each connection after its next answer. Refuses requests that have not fully arrived, because they may never
   * arrive.
   */
  drain(reason: ServiceError): void {
    this.#isDraining = true;
    for (const { request, reply } of this.#open) {
      if (reply.raw.headersSent) continue;
      reply.header('connection', 'close');
      if (isArriving(request.raw)) request.scope.abort(reason);
    }
  }

  /** Ends the work for all requests. */
  abort(reason: ServiceError): void {
    for (const { request } of this.#open) request.scope.abort(reason);
  }

  /** Handles bytes that Node cannot parse as HTTP, and requests that do not arrive in time. */
  onClientError(error: ClientError, socket: Socket): void {
    const open = this.#latest.get(socket);
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else if (open === undefined) this.#refuseUnread(error, socket);
    else if (!isArriving(open.request.raw)) open.request.scope.hold(() => socket.destroySoon());
    else if (open.reply.raw.headersSent || error.code === 'HPE_INVALID_EOF_STATE') socket.destroy();
    else open.request.scope.abort(this.#refusalOf(error));
  }

  /** Answers bytes that never became a request. An answer to HEAD has no body. */
  #refuseUnread(error: ClientError, socket: Socket): void {
    const requestId = requestIdOf(undefined);
    const { code, status, headers, body } = problem(this.#refusalOf(error), requestId);
    this.#reports.metrics.observeRequest({ transport: 'http', endpoint: 'unmatched', code, durationMs: 0 });
    const hasBody = !isHead(error);
    const lines = Object.entries({
      ...(hasBody ? headers : {}),
      [requestIdKey]: requestId,
      connection: 'close',
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`;
    socket.end(hasBody ? head + body.toString() : head, () => socket.destroySoon());
  }

  #refusalOf({ code }: ClientError): ServiceError {
    const { maxHeaderBytes, headersMs, requestMs } = this.#limits;
    if (code === 'HPE_HEADER_OVERFLOW') {
      const limit = maxHeaderBytes.toLocaleString('en-US');
      const message = `The request line and headers are over the limit of ${limit} bytes.`;
      return new HttpRefusal('headers_too_large', message);
    }
    if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
      const message = `The request took too long: its headers may take ${headersMs / 1000} s, the whole ${requestMs / 1000} s.`;
      return new HttpRefusal('request_timeout', message);
    }
    return new ServiceError('invalid_argument', 'This is not a valid HTTP/1.1 request.');
  }
}

/** Whether a HEAD request begins with these bytes. Node parses the method but does not tell it before all headers. */
function isHead({ rawPacket }: ClientError): boolean {
  return rawPacket instanceof Buffer && /^[\r\n]*HEAD /.test(rawPacket.toString('latin1', 0, 64));
}

/** The client's address, written as gRPC does. */
function peerOf({ remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : hostPort(remoteAddress, remotePort ?? 0);
}

/** Describes a request by OpenTelemetry's conventions for HTTP. */
function wireCall({ request, reply }: OpenRequest): WireCall {
  const { method } = request;
  const { endpoint } = request.scope;
  // An alias has the name of its route.
  const route = routes.find((one) => one.endpoint === endpoint && one.aliasOf === undefined)?.path;
  return {
    name: route === undefined ? method : `${method} ${route}`,
    attributes: {
      'http.request.method': method,
      'http.response.status_code': reply.raw.statusCode,
      ...(route === undefined ? {} : { 'http.route': route }),
    },
  };
}
