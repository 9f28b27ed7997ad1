import { status } from '@grpc/grpc-js';
import { ServiceError } from '../../errors/service-error.ts';
import type { LoggedAnswer } from '../../telemetry/request-log.ts';
import type { CallTerms } from '../request-terms.ts';
import { limitReading, type ReadingPace } from '../slow-reader.ts';
import { callFailure } from './call-failures.ts';
import type { EncodedMessage } from './gathered-message.ts';
import type { InboundCall, Method } from './inbound.ts';
import type { RequestMessage } from './request-message.ts';
import { statusOf } from './status.ts';

/** The response to a call. */
export interface OutgoingAnswer {
  readonly message: EncodedMessage;
  /** What the log says about its tokens. */
  readonly answer?: LoggedAnswer;
  /** Called when the client has read the response, or has left. */
  readonly release?: () => void;
}

/**
 * Answers unary calls with the message that `work` returns, or the failure that it throws, and ends the request's scope.
 * The request id is in the initial metadata of an answer and in the trailing metadata of a failure: headers before a
 * failure would stop a client's retry policy from retrying.
 */
export function unary(
  pace: ReadingPace,
  work: (request: Buffer, terms: CallTerms) => OutgoingAnswer | Promise<OutgoingAnswer>,
): NonNullable<Method['answer']> {
  async function answer({ callScope, scope, signal }: InboundCall, request: RequestMessage) {
    const { trace } = scope;
    trace?.stage('receive', scope.startedMs, performance.now());
    try {
      // Not in a variable, which would keep the bytes in memory until the answer has been read.
      return await work(request.bytes, { terms: callScope.terms(scope.caller), trace, signal });
    } finally {
      request.release();
    }
  }

  /** Not async: the tokens must not stay in memory while the client reads grpc-js's copy of them. */
  function send(inbound: InboundCall, { message, answer: logged, release }: OutgoingAnswer): void {
    const { callScope, scope } = inbound;
    scope.answer = logged;
    if (release !== undefined) scope.hold(release);
    scope.hold(limitReading(message.byteLength, pace, () => inbound.stream.cutOff()));
    inbound.sendMetadata(callScope.initialMetadata());
    inbound.sendMessage(message, () => inbound.sendStatus({ code: status.OK, details: 'OK' }));
    inbound.onEnd(() => callScope.end(scope, inbound.stream.wasCutOff ? callFailure.unread() : undefined));
  }

  function fail(inbound: InboundCall, thrown: unknown): void {
    const error = ServiceError.from(thrown);
    inbound.sendStatus(statusOf(error, inbound.callScope.requestId));
    inbound.callScope.end(inbound.scope, error);
  }

  return (inbound, request) => {
    answer(inbound, request)
      .then((outgoing) => send(inbound, outgoing))
      .catch((thrown: unknown) => fail(inbound, thrown));
  };
}
