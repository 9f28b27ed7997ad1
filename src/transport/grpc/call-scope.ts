import { type Metadata, status } from '@grpc/grpc-js';
import type { Caller } from '../../admission/caller.ts';
import type { RequestTerms } from '../../admission/priority.ts';
import type { ServiceError } from '../../errors/service-error.ts';
import type { RequestScope } from '../../telemetry/request-scope.ts';
import type { RequestScopes } from '../../telemetry/request-scopes.ts';
import { readTerms } from '../request-terms.ts';
import type { Authenticate } from '../security/authenticate.ts';
import { grpcStatus } from './status.ts';

/** What a scope needs to know about its call. */
export interface DescribedCall {
  /** Path of the method. */
  readonly path: string;
  /** The method's name in logs and metrics. */
  readonly endpoint: string;
  readonly requestId: string;
  readonly peer: string;
  readonly metadata: Metadata;
}

/** Begins the scope of a request: a unary call, or one message of a stream, which has an id of its own. */
export function beginScope(scopes: RequestScopes, call: DescribedCall, streamedId?: string): RequestScope {
  const scope = scopes.begin({
    requestId: call.requestId,
    peer: call.peer,
    readHeader: (key) => call.metadata.get(key)[0]?.toString(),
    ...(streamedId === undefined ? {} : { streamedId }),
  });
  scope.endpoint = call.endpoint;
  return scope;
}

/** Ends the scope of a request, with its failure if it failed. Attributes follow OpenTelemetry's conventions for RPCs. */
export function endScope(
  scope: RequestScope,
  path: string,
  failure?: ServiceError,
  code = failure === undefined ? status.OK : grpcStatus(failure.code),
): void {
  if (failure !== undefined) scope.note(failure);
  const method = path.slice(1);
  scope.end(failure?.code ?? 'ok', {
    name: method,
    attributes: {
      'rpc.system.name': 'grpc',
      'rpc.method': method,
      'rpc.response.status_code': status[code],
    },
  });
}

/** The caller whose key is in the metadata. Throws `unauthenticated`. */
export function callerOf(metadata: Metadata, authenticate: Authenticate): Caller {
  return authenticate({
    authorization: joined(metadata, 'authorization'),
    'x-api-key': joined(metadata, 'x-api-key'),
  });
}

/** What a caller asks for in a call's metadata and deadline. Throws as `readTerms` does. */
export function termsOf(metadata: Metadata, deadlineMs: number, caller: Caller): RequestTerms {
  const now = performance.now();
  const terms = readTerms(caller, now, (key) => joined(metadata, key));
  const deadlineAt = now + deadlineMs - Date.now();
  return { ...terms, deadlineAt: Math.min(deadlineAt, terms.deadlineAt ?? deadlineAt) };
}

/** Joins repeated values, as HTTP does: a key that is sent twice is not valid. */
function joined(metadata: Metadata, key: string): string | undefined {
  const values = metadata.get(key);
  return values.length === 0 ? undefined : values.join(', ');
}
