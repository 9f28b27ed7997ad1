import { Metadata, status } from '@grpc/grpc-js';
import type { Caller } from '../../admission/caller.ts';
import type { RequestTerms } from '../../admission/priority.ts';
import type { ServiceError } from '../../errors/service-error.ts';
import type { RequestScope } from '../../telemetry/request-scope.ts';
import type { RequestScopes } from '../../telemetry/request-scopes.ts';
import { requestIdKey, requestIdOf } from '../request-id.ts';
import { readTerms } from '../request-terms.ts';
import type { Authenticate } from '../security/authenticate.ts';
import { grpcStatus } from './status.ts';

/** The headers of a call. */
export interface CallHeaders {
  /** Path of the method. */
  readonly path: string;
  /** The method's name in logs and metrics. */
  readonly endpoint: string | undefined;
  readonly metadata: Metadata;
  /** The client's address. */
  readonly peer: string;
  /** By Date.now(); Infinity if the client set none. */
  readonly deadlineMs: number;
}

/** What the headers of a call say about its requests, and the scopes in which those are reported. */
export class CallScope {
  /** The same for all requests of a stream. */
  readonly requestId: string;
  readonly #headers: CallHeaders;
  readonly #authenticate: Authenticate;
  readonly #scopes: RequestScopes;

  constructor(headers: CallHeaders, authenticate: Authenticate, scopes: RequestScopes) {
    this.requestId = requestIdOf(headers.metadata.get(requestIdKey)[0]);
    this.#headers = headers;
    this.#authenticate = authenticate;
    this.#scopes = scopes;
  }

  /** Checks the call's key now: it may have been revoked since the call began. Throws `unauthenticated`. */
  authenticate(): Caller {
    return this.#authenticate({
      authorization: this.#value('authorization'),
      'x-api-key': this.#value('x-api-key'),
    });
  }

  /** What the caller asks for in metadata and deadline. Throws as `readTerms` does. */
  terms(caller: Caller): RequestTerms {
    const now = performance.now();
    const terms = readTerms(caller, now, (key) => this.#value(key));
    const deadlineAt = now + this.#headers.deadlineMs - Date.now();
    return { ...terms, deadlineAt: Math.min(deadlineAt, terms.deadlineAt ?? deadlineAt) };
  }

  /** The metadata of an answer. */
  initialMetadata(): Metadata {
    const metadata = new Metadata();
    metadata.set(requestIdKey, this.requestId);
    return metadata;
  }

  /** Begins the scope of a request: the call itself, or one message of a stream, which has an id of its own. */
  begin(streamedId?: string): RequestScope {
    const { endpoint, metadata, peer } = this.#headers;
    const scope = this.#scopes.begin({
      requestId: this.requestId,
      peer,
      readHeader: (key) => metadata.get(key)[0]?.toString(),
      streamedId,
    });
    if (endpoint !== undefined) scope.endpoint = endpoint;
    return scope;
  }

  /** Ends the scope of a request, with its failure if it failed. Attributes follow OpenTelemetry's conventions for RPCs. */
  end(
    scope: RequestScope,
    failure?: ServiceError,
    code = failure === undefined ? status.OK : grpcStatus(failure.code),
  ): void {
    if (failure !== undefined) scope.note(failure);
    const method = this.#headers.path.slice(1);
    scope.end(failure?.code ?? 'ok', () => ({
      name: method,
      attributes: {
        'rpc.system.name': 'grpc',
        'rpc.method': method,
        'rpc.response.status_code': status[code],
      },
    }));
  }

  /** Repeated values are joined, as HTTP does: a key that is sent twice is not valid. */
  #value(key: string): string | undefined {
    const values = this.#headers.metadata.get(key);
    return values.length === 0 ? undefined : values.join(', ');
  }
}
