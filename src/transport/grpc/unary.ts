import type { handleUnaryCall } from '@grpc/grpc-js';
import { ServiceError } from '../../errors/service-error.ts';
import type { LoggedAnswer } from '../../telemetry/request-log.ts';
import { limitReading, type ReadingPace } from '../slow-reader.ts';
import type { RequestMessage } from './request-message.ts';
import type { GatheredMessage } from './gathered-message.ts';
import { InboundCall } from './inbound.ts';
import type { CallTerms } from './read-request.ts';
import { statusOf } from './status.ts';

/** An encoded response: protobufjs's Buffer, or pieces that grpc-js copies into its own. */
export type EncodedMessage = Buffer | GatheredMessage;

/** The response to a call. */
export interface OutgoingAnswer {
  readonly message: EncodedMessage;
  /** What the log says about its tokens. */
  readonly answer?: LoggedAnswer;
  /** Called when the client has read the response, or has left. */
  readonly release?: () => void;
}

/**
 * Wraps `work` as a grpc-js handler: sends the message that it returns, or the failure that it throws, and ends the
 * request's scope. The request id is in the initial metadata of an answer and in the trailing metadata of a failure:
 * headers before a failure would stop a client's retry policy from retrying.
 */
export function unary(
  pace: ReadingPace,
  work: (request: Buffer, terms: CallTerms) => OutgoingAnswer | Promise<OutgoingAnswer>,
): handleUnaryCall<RequestMessage, EncodedMessage> {
  return (call, callback) => {
    const inbound = InboundCall.of(call);
    const { callScope, scope, signal } = inbound;

    async function answer(): Promise<OutgoingAnswer> {
      const { trace } = scope;
      trace?.stage('receive', scope.startedMs, performance.now());
      try {
        // Not in a variable, which would keep the bytes in memory until the answer has been read.
        return await work(call.request.bytes, { terms: callScope.terms(scope.caller), trace, signal });
      } finally {
        call.request.release();
      }
    }

    /** Not async: the tokens must not stay in memory while the client reads grpc-js's copy of them. */
    function send({ message, answer: logged, release }: OutgoingAnswer): void {
      scope.answer = logged;
      if (release !== undefined) scope.hold(release);
      scope.hold(limitReading(message.byteLength, pace, () => inbound.cutOff()));
      call.sendMetadata(callScope.initialMetadata());
      callback(null, message);
      void inbound.ended.then(() => callScope.end(scope, inbound.wasCutOff ? unread() : undefined));
    }

    function fail(thrown: unknown): void {
      const error = ServiceError.from(thrown);
      callback(statusOf(error, callScope.requestId));
      callScope.end(scope, error);
    }

    void answer().then(send).catch(fail);
  };
}

function unread(): ServiceError {
  return new ServiceError('cancelled', 'The client left before it had read the answer.');
}
