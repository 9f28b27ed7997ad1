import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import type { Caller } from '../../admission/caller.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { requestIdKey, requestIdOf } from '../request-id.ts';
import type { Authenticate, Credentials } from '../security/authenticate.ts';
import { statusOf } from './status.ts';
import { report, type RequestWatch, traceCall } from './request-watch.ts';

/** Whose call this is, by its metadata; throws `unauthenticated`. */
export function callerOf(metadata: Metadata, authenticate: Authenticate): Caller {
  return authenticate(credentialsOf(metadata));
}

/**
 * Refuses calls of the methods in `endpoints` whose key is missing or wrong as soon as their headers are there: the
 * handlers, which ask again for the caller's sake, are called only when a whole message has been read.
 */
export function refuseStrangers(
  authenticate: Authenticate,
  /** The name of each method's endpoint, by its path. Methods that are not here need no key. */
  endpoints: ReadonlyMap<string, string>,
  watch: RequestWatch,
): ServerInterceptor {
  return ({ path }, call) => {
    const endpoint = endpoints.get(path);
    if (endpoint === undefined) return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, goOn) {
            const startedMs = performance.now();
            try {
              callerOf(metadata, authenticate);
            } catch (thrown) {
              const error = ServiceError.from(thrown);
              const requestId = requestIdOf(metadata.get(requestIdKey)[0]);
              const failure = statusOf(error);
              failure.metadata.set(requestIdKey, requestId);
              call.sendStatus(failure);
              const begun = traceCall(watch, metadata, startedMs);
              report(watch, { ...begun, endpoint, path, requestId, startedMs, peer: call.getPeer() }, error);
              return;
            }
            goOn(metadata);
          },
        }),
    });
  };
}

/** What comes twice is joined, as HTTP joins it, and is then no key. */
function credentialsOf(metadata: Metadata): Credentials {
  const joined = (key: string): string | undefined => {
    const values = metadata.get(key);
    return values.length === 0 ? undefined : values.join(', ');
  };
  return { authorization: joined('authorization'), 'x-api-key': joined('x-api-key') };
}
