import { type ServiceError as GrpcError, status } from '@grpc/grpc-js';
import { systemReason } from '../../errors/system-reason.ts';

/** A call that failed. */
export interface FailedCall {
  readonly method: string;
  /** The time that it had. */
  readonly limitMs: number;
  /** Whether the connection is TLS. */
  readonly secure: boolean;
}

/** Why a call failed. */
export interface CallReason {
  /**
   * The end of a sentence that begins with the server: "cannot be reached: connection refused". The same failure has the
   * same reason each time; what grpc-js says has the time of day and durations.
   */
  readonly reason: string;
  /** What the server or its certificate says of it; empty if nothing. */
  readonly words: string;
  /** Whether the server gave no answer because the connection ended. */
  readonly isLost?: true;
}

const is = (reason: string): CallReason => ({ reason, words: '' });

export function callReason(
  { code, details }: Pick<GrpcError, 'code' | 'details'>,
  { method, limitMs, secure }: FailedCall,
): CallReason {
  if (code === status.DEADLINE_EXCEEDED) return is(`did not answer ${method} within ${limitMs / 1000} s`);
  if (code === status.UNIMPLEMENTED && method === 'ServerLive') {
    return is('does not speak the Open Inference Protocol over gRPC');
  }
  if (details.startsWith('Name resolution failed')) return is('cannot be reached: no such host');
  const [, found] = /^No connection established\. Last error: (.*)\. Resolution note:/s.exec(details) ?? [];
  if (found !== undefined) return connectReason(found.replace(/^Error: /, ''), secure);
  return lost.test(details)
    ? { reason: 'lost its connection', words: details, isLost: true }
    : { reason: `answered ${method} with ${status[code]}`, words: details };
}

/** What grpc-js says of a call that ended without an answer. A stream that a server closed in order has code 0. */
const lost =
  /^(Connection dropped$|Cancelled on client|Call cancelled|Received RST_STREAM (?!with code 0\b)|(read|write) (ECONNRESET|ETIMEDOUT|EPIPE)\b)/;

/** Why no connection was made. Callers get no text of the failure but the names that Node and OpenSSL have for it. */
function connectReason(failure: string, secure: boolean): CallReason {
  if (/certificate|altnames/i.test(failure)) {
    return { reason: 'has a certificate that is not trusted', words: failure };
  }
  const system = systemReason(new Error(failure));
  if (system !== failure) return is(`cannot be reached: ${system}`);
  if (failure.startsWith('Protocol error')) {
    return is("does not speak gRPC; Triton's gRPC port is 8001, its HTTP port 8000");
  }
  if (failure.includes('wrong version number')) return is('does not speak TLS; use grpc:// for it');
  if (failure.startsWith('Failed to connect')) {
    return is(
      secure ? 'closes every connection' : 'closes every connection; if it speaks TLS, use grpcs:// for it',
    );
  }
  const [, tls] = /:SSL routines:[^:]*:([\w ]{1,100}):/.exec(failure) ?? [];
  return tls === undefined
    ? { reason: 'cannot be reached', words: failure }
    : is(`cannot be reached: ${tls}`);
}
