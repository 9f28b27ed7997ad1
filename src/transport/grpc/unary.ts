import { type handleUnaryCall, Metadata } from '@grpc/grpc-js';
import { ServiceError } from '../../errors/service-error.ts';
import type { LoggedAnswer } from '../../telemetry/request-log.ts';
import { limitReading, type ReadingPace } from '../reading-pace.ts';
import { requestIdKey } from '../request-id.ts';
import type { RequestMessage } from './arriving-message.ts';
import type { GatheredMessage } from './gathered-message.ts';
import { InboundCall } from './inbound.ts';
import type { CallTerms } from './read-request.ts';
import { statusOf } from './status.ts';

/** A message as it goes out: protobufjs's Buffer, or one that is still in pieces. */
export type EncodedMessage = Buffer | GatheredMessage;

/** What a call is answered with. */
export interface OutgoingAnswer {
  readonly message: EncodedMessage;
  /** The tokens in it, for the log. */
  readonly answer?: LoggedAnswer;
  /** Called when the client has read it, or has gone. */
  readonly release?: () => void;
}

/**
 * A grpc-js handler around `work`, which gives an encoded message: hands it the caller's terms and a signal for the
 * call's end, answers what it returns or throws, and ends the request's scope. The request id goes out in the initial
 * metadata of an answer, and in the trailing metadata of a failure, since headers before a failure would keep a client's
 * retry policy from acting on it.
 */
export function unary(
  pace: ReadingPace,
  work: (request: Buffer, terms: CallTerms) => OutgoingAnswer | Promise<OutgoingAnswer>,
): handleUnaryCall<RequestMessage, EncodedMessage> {
  return (call, callback) => {
    const inbound = InboundCall.of(call);
    const { scope, signal } = inbound;

    async function answer(): Promise<OutgoingAnswer> {
      try {
        const { trace } = scope;
        // Not in a variable, which would hold them until the answer has been read.
        return await work(call.request.bytes, { terms: inbound.terms(scope.caller), trace, signal });
      } finally {
        call.request.release();
      }
    }

    /** Not async: what waits for the client must not hold the tokens, of which grpc-js has a copy. */
    function send({ message, answer: logged, release }: OutgoingAnswer): void {
      scope.answer = logged;
      if (release !== undefined) scope.hold(release);
      scope.hold(limitReading(message.byteLength, pace, () => inbound.cutOff()));
      const headers = new Metadata();
      headers.set(requestIdKey, inbound.requestId);
      call.sendMetadata(headers);
      callback(null, message);
      void inbound.ended.then(() => inbound.endScope(scope, inbound.wasCutOff ? unread() : undefined));
    }

    function fail(thrown: unknown): void {
      const error = ServiceError.from(thrown);
      callback(statusOf(error, inbound.requestId));
      inbound.endScope(scope, error);
    }

    void answer().then(send).catch(fail);
  };
}

function unread(): ServiceError {
  return new ServiceError('cancelled', 'The client left before it had read its answer.');
}
