import type { Answer } from './answer.ts';
import type { FuzzCase } from './case.ts';

/**
 * HTTP's statuses that anything odd may be answered with; grpc-js's UNIMPLEMENTED and RESOURCE_EXHAUSTED are its own.
 */
const httpStatuses: ReadonlySet<number> = new Set([
  200, 204, 302, 304, 400, 404, 405, 406, 408, 412, 413, 415, 431,
]);
const grpcStatuses: ReadonlySet<number> = new Set([0, 3, 5, 8, 9, 12]);

/** Node 20 leaves a connection on which it says GOAWAY to the keepalive, as the documentation says. */
const closesAfterError = Number(process.versions.node.split('.', 1)[0]) > 20;

/** What the service did wrong with a case; undefined where its answer is one of the contract's. */
export function faultOf(
  sent: FuzzCase,
  { ending, wrong }: Answer,
  mustClose = closesAfterError,
): string | undefined {
  if (ending === 'hang') return 'it hangs';
  if (wrong !== undefined) return wrong;
  const [transport, text, reason] = ending.split(' ');
  const status = Number(text);
  if (transport === 'http') {
    if (httpStatuses.has(status) || (status === 504 && asksForHaste(sent))) return undefined;
    // HTTP/2's own refusals are statuses of HTTP without a body.
    return sent.kind === 'frames' && status < 500 ? undefined : `it answers ${ending}`;
  }
  if (transport === 'grpc') {
    // No room, where so little is sent.
    if (reason === 'overloaded') return `it answers ${ending}`;
    if (grpcStatuses.has(status) || (status === 4 && asksForHaste(sent)) || (status === 1 && leaves(sent))) {
      return undefined;
    }
    // INTERNAL is grpc-js's own answer to a time that is none, and to what does not decompress.
    const isItsOwn = status === 13 && (hasNoTime(sent) || isCompressed(sent));
    return isItsOwn ? undefined : `it answers ${ending}`;
  }
  if (transport === 'held' && text === 'goaway' && mustClose) {
    return 'it says GOAWAY for an error and keeps the connection';
  }
  return sent.kind === 'http' || (sent.kind === 'grpc' && !leaves(sent)) ? `it is ${ending}` : undefined;
}

/** Whether the caller gave a time, within which there may be no answer. */
function asksForHaste(sent: FuzzCase): boolean {
  if (sent.kind === 'http') return 'request-timeout-ms' in sent.headers;
  if (sent.kind === 'grpc') return sent.deadlineMs !== undefined || 'request-timeout-ms' in sent.metadata;
  return sent.kind === 'frames' && 'grpc-timeout' in sent.headers;
}

/** Whether a grpc-timeout is not 1 to 8 digits and a unit. */
function hasNoTime(sent: FuzzCase): boolean {
  const time = sent.kind === 'frames' ? sent.headers['grpc-timeout'] : undefined;
  return time !== undefined && !/^\d{1,8}[HMSmun]$/.test(time);
}

/** Whether the first message says that it is compressed; the fuzzer compresses none. */
function isCompressed(sent: FuzzCase): boolean {
  return sent.kind === 'frames' && sent.bytes[0] === 1;
}

/** Whether the caller leaves before it has its answer. */
function leaves(sent: FuzzCase): boolean {
  return sent.kind === 'grpc' && sent.steps.some((step) => step.do === 'cancel');
}
