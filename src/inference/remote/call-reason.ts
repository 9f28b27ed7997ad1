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
}

export function callReason(
  { code, details }: Pick<GrpcError, 'code' | 'details'>,
  { method, limitMs, secure }: FailedCall,
): CallReason {
  const is = (reason: string): CallReason => ({ reason, words: '' });
  if (code === status.DEADLINE_EXCEEDED) return is(`did not answer ${method} within ${limitMs / 1000} s`);
  if (code === status.UNIMPLEMENTED && method === 'ServerLive') {
    return is('does not speak the Open Inference Protocol over gRPC');
  }
  if (details.startsWith('Name resolution failed')) return is('cannot be reached: no such host');
  const [, found] = /^No connection established\. Last error: (.*)\. Resolution note:/s.exec(details) ?? [];
  if (found === undefined) return { reason: `answered ${method} with ${status[code]}`, words: details };
  const failure = found.replace(/^Error: /, '');
  return /certificate|altnames/i.test(failure)
    ? { reason: 'has a certificate that is not trusted', words: failure }
    : is(connectReason(failure, secure));
}

function connectReason(failure: string, secure: boolean): string {
  if (/\bE[A-Z]{4,}\b/.test(failure)) return `cannot be reached: ${systemReason(new Error(failure))}`;
  if (failure.startsWith('Protocol error')) {
    return "does not speak gRPC; Triton's gRPC port is 8001, its HTTP port 8000";
  }
  if (failure.includes('wrong version number')) return 'does not speak TLS; use grpc:// for it';
  if (failure.startsWith('Failed to connect')) {
    return secure
      ? 'closes every connection'
      : 'closes every connection; if it speaks TLS, use grpcs:// for it';
  }
  const [, tls = failure] = /:SSL routines:[^:]*:([^:]+)/.exec(failure) ?? [];
  return `cannot be reached: ${tls}`;
}
