import { once } from 'node:events';
import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request as sendPlain } from 'node:http';
import { request as sendSecure } from 'node:https';
import { buffer } from 'node:stream/consumers';
import { errorCodes, type ErrorCode, ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';
import { agentFor } from '../../network/agent.ts';
import { describeProxy, findProxy, type Proxy } from '../../network/proxy.ts';
import { inFlags } from '../settings/flag-words.ts';

/** What a service answered with status 200. */
export interface ServiceAnswer {
  /** The service's address. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Why a service gave no answer. */
export interface Refusal {
  readonly error: ServiceError;
  /** Whether the same request may succeed later. */
  readonly isTemporary: boolean;
  /** When to ask again, in milliseconds, if the service says so. */
  readonly retryAfterMs?: number | undefined;
}

/** A connection that gives nothing for so long counts as lost. Services answer within their own limit, 60 s by default. */
const idleMs = 300_000;
/** The same for a request without a body, which a service answers at once. */
const planIdleMs = 10_000;
const temporaryStatuses = new Set([408, 425, 429, 502, 503, 504]);
/** The codes of answers without one, from a proxy in front of the service. */
const statusCodes: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_argument',
  401: 'unauthenticated',
  403: 'unauthenticated',
  404: 'not_found',
  413: 'too_large',
};

const grpcPort =
  "The port does not speak HTTP/1.1 and looks like a gRPC port: give the service's HTTP port, 8080 by default.";
const tlsPort = 'The port speaks TLS: write https:// in place of http://.';
/** Why asking again does not help, by a pattern of Node's error code or message. */
const lastingFailures: readonly (readonly [RegExp, (reason: string) => string])[] = [
  [/HPE_INVALID_CONSTANT/, () => grpcPort],
  [/wrong version number/, () => 'The port does not speak TLS: write http:// in place of https://.'],
  [/CERTIFICATE_REQUIRED/, () => 'The service asks for a client certificate, which encode cannot send.'],
  [
    // TLS 1.2 has no alert of its own for a missing certificate.
    /handshake failure/,
    () =>
      'The TLS handshake failed. Perhaps the service asks for a client certificate, which encode cannot send.',
  ],
  [
    /SELF_SIGNED_CERT|UNABLE_TO_/,
    // Node 24 adds advice of its own behind a semicolon.
    (reason) =>
      `The certificate is not trusted: ${reason.split(';')[0]}. If your own CA signed it, set NODE_EXTRA_CA_CERTS to the CA's file.`,
  ],
  [/CERT_/, (reason) => `The certificate is not valid: ${reason.replace(/[ :.]+$/, '')}.`],
];

/** Sends requests to one service over kept connections. */
export class ServiceConnection {
  /** Its address, without a slash at its end. */
  readonly url: string;
  readonly #apiKey: string | undefined;
  readonly #proxy: Proxy | undefined;
  readonly #agent: Agent;
  #hasAnswered = false;

  /** Throws `invalid_argument` where a variable of `env` names no proxy. */
  constructor(url: string, apiKey: string | undefined, env: NodeJS.ProcessEnv) {
    this.url = url;
    this.#apiKey = apiKey;
    this.#proxy = findProxy(new URL(url), env);
    this.#agent = agentFor(url.startsWith('https:') ? 'https:' : 'http:', this.#proxy);
  }

  /** GETs a path, or POSTs a body to it. Rejects with the signal's reason alone. */
  async ask(
    path: string,
    body: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly answer: ServiceAnswer } | { readonly refusal: Refusal }> {
    let response: IncomingMessage;
    let received: Buffer;
    try {
      response = await this.#send(path, body, signal);
      this.#hasAnswered = true;
      received = await buffer(response);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ServiceError) return { refusal: { error, isTemporary: false } };
      return { refusal: this.#failureOf(error) };
    }
    const { headers } = response;
    if (response.statusCode === 200) return { answer: { url: this.url, headers, body: received } };
    return { refusal: this.#refusalOf(response.statusCode ?? 0, headers, received) };
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(path: string, body: Uint8Array | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    const url = new URL(this.url + path);
    const send = url.protocol === 'https:' ? sendSecure : sendPlain;
    const request = send(url, {
      method: body === undefined ? 'GET' : 'POST',
      agent: this.#agent,
      timeout: body === undefined ? planIdleMs : idleMs,
      signal,
      headers: {
        // People who wait come first, and a folder of images need not push theirs out of the cache.
        priority: 'bulk',
        'cache-control': 'no-store',
        ...(body === undefined ? {} : { 'content-length': body.byteLength }),
        ...(this.#apiKey === undefined ? {} : { authorization: `Bearer ${this.#apiKey}` }),
      },
    });
    request.on('timeout', () => request.destroy(new Error('nothing arrives')));
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    request.end(body);
    const [response] = await answered;
    // A later failure fails the body, whose reader reports it.
    request.on('error', () => undefined);
    return response;
  }

  #failureOf(cause: unknown): Refusal {
    const { code = '', message: text } = cause as NodeJS.ErrnoException;
    const reason = systemReason(cause);
    const lasting = lastingFailures.find(([pattern]) => pattern.test(`${code} ${text}`));
    if (lasting !== undefined) return permanent(lasting[1](reason), cause);
    const way = this.#proxy === undefined ? '' : ` through ${describeProxy(this.#proxy)}`;
    // A port that speaks TLS closes a connection of plain HTTP without a word, as a service that stops does.
    const maybeTls = !this.#hasAnswered && this.url.startsWith('http:') && text === 'socket hang up';
    const advice = maybeTls ? ' If the port speaks TLS, write https:// in place of http://.' : '';
    const message = `${this.url} cannot be reached${way}: ${reason}.${advice}`;
    return { error: new ServiceError('unavailable', message, { cause }), isTemporary: true };
  }

  #unauthenticated(): ServiceError {
    const message =
      this.#apiKey === undefined
        ? 'The service needs an API key: set SIGLIPHD_API_KEY.'
        : 'The service does not know the API key in SIGLIPHD_API_KEY.';
    return new ServiceError('unauthenticated', message);
  }

  #refusalOf(status: number, headers: IncomingHttpHeaders, body: Buffer): Refusal {
    const problem = readProblem(body);
    // Node's answer on a port that takes HTTP/2 alone.
    if (status === 403 && body.includes('ALPN')) return permanent(grpcPort);
    // nginx's answer, and Go's, to plain HTTP on a port of TLS.
    if (status === 400 && problem === undefined && /HTTPS (?:port|server)/.test(body.toString()))
      return permanent(tlsPort);
    if (status === 401 && problem !== undefined)
      return { error: this.#unauthenticated(), isTemporary: false };
    const code = errorCodes.find((one) => one === problem?.code) ?? statusCodes[status];
    const isTemporary = temporaryStatuses.has(status);
    const error = new ServiceError(
      code ?? (isTemporary ? 'unavailable' : 'internal'),
      problem === undefined ? `${this.url} answers with status ${status}.` : inFlags(problem.detail),
    );
    return { error, isTemporary, retryAfterMs: retryAfterMs(headers) };
  }
}

function permanent(message: string, cause?: unknown): Refusal {
  return { error: new ServiceError('failed_precondition', message, { cause }), isTemporary: false };
}

/** The code and the sentence of a problem (RFC 9457); undefined if the body is something else. */
function readProblem(body: Buffer): { readonly code: unknown; readonly detail: string } | undefined {
  try {
    const { code, detail } = JSON.parse(body.toString()) as { code?: unknown; detail?: unknown };
    return typeof detail === 'string' ? { code, detail } : undefined;
  } catch {
    return undefined;
  }
}

function retryAfterMs(headers: IncomingHttpHeaders): number | undefined {
  const exact = Number.parseFloat(headers['retry-after-ms']?.toString() ?? '');
  const waitMs = Number.isNaN(exact) ? Number.parseFloat(headers['retry-after'] ?? '') * 1000 : exact;
  return waitMs >= 0 ? waitMs : undefined;
}
