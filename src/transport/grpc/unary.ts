import { type handleUnaryCall, Metadata } from '@grpc/grpc-js';
import type { Caller } from '../../admission/caller.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { Authenticate } from '../security/authenticate.ts';
import { callerOf } from './call-caller.ts';
import { callSignal } from './call-signal.ts';
import { callTerms } from './call-terms.ts';
import type { CallTerms } from './read-request.ts';
import { cutOff, wasCutOff } from './call-stream.ts';
import { statusOf } from './status.ts';
import type { GrpcLimits } from './limits.ts';
import { type ArrivedMessage, noBytes } from './message-door.ts';
import type { MessageDoors } from './message-doors.ts';
import type { GatheredMessage } from './gathered-message.ts';
import { ReadingLimit } from '../slow-reader.ts';
import type { LoggedAnswer } from '../../telemetry/request-log.ts';
import { requestIdKey, requestIdOf } from '../request-id.ts';
import { report, type RequestWatch, traceCall } from './request-watch.ts';

/** A message as it goes out: protobufjs's Buffer, or one that is still in pieces. */
export type EncodedMessage = Buffer | GatheredMessage;

/** What a handler of unary calls works with. */
export interface UnaryParts extends RequestWatch {
  readonly doors: Pick<MessageDoors, 'roomOf'>;
  readonly authenticate: Authenticate;
  readonly limits: Pick<GrpcLimits, 'readGraceMs' | 'readBytesPerSecond'>;
}

const monotonic = (): number => performance.now();

/** What a call is answered with. */
export interface OutgoingAnswer {
  readonly message: EncodedMessage;
  /** The tokens in it, for the log. */
  readonly answer?: LoggedAnswer;
  /** Called when the client has read it, or has gone. */
  readonly release?: () => void;
}

/**
 * A grpc-js handler around `work`, which gives an encoded message: hands it the caller and a signal for the call's
 * end, answers what it returns or throws, and logs and observes the request. The request id goes out in the
 * initial metadata of an answer, and in the trailing metadata of a failure, since headers before a failure would
 * keep a client's retry policy from acting on it.
 */
export function unary(
  endpoint: string,
  parts: UnaryParts,
  work: (request: Buffer, terms: CallTerms) => OutgoingAnswer | Promise<OutgoingAnswer>,
): handleUnaryCall<ArrivedMessage, EncodedMessage> {
  return (call, callback) => {
    const startedMs = performance.now();
    parts.onBegin?.();
    const requestId = requestIdOf(call.metadata.get(requestIdKey)[0]);
    const begun = traceCall(parts, call.metadata, startedMs);
    const ending = callSignal(call);
    const room = parts.doors.roomOf(call);
    room.settle(call.request.bytes.byteLength);
    let caller: Caller | undefined;
    let answered: LoggedAnswer | undefined;

    /** A client that does not read its answer is not to hold what it sent. */
    function letGo(): void {
      call.request.bytes = noBytes;
      room.release();
    }

    /**
     * Sends the answer, and resolves when the client has read it, or will not, with what the call ended with then. Not
     * async: what waits must not hold the tokens, of which grpc-js has a copy.
     */
    function succeed({ message, answer: told, release }: OutgoingAnswer): Promise<ServiceError | undefined> {
      letGo();
      answered = told;
      const { readGraceMs: graceMs, readBytesPerSecond: bytesPerSecond } = parts.limits;
      const reading = new ReadingLimit({
        graceMs,
        bytesPerSecond,
        onLate: () => cutOff(call),
        now: monotonic,
      });
      reading.add(message.byteLength);
      reading.start();
      const ended = new Promise<ServiceError | undefined>((resolve) => {
        const end = (): void => {
          reading.stop();
          release?.();
          resolve(wasCutOff(call) ? new ServiceError('cancelled', 'The answer was not read.') : undefined);
        };
        // grpc-js says so of every call that ends, its message read or not.
        call.once('cancelled', end);
        if (call.cancelled) end();
      });
      const headers = new Metadata();
      headers.set(requestIdKey, requestId);
      call.sendMetadata(headers);
      callback(null, message);
      return ended;
    }

    function fail(thrown: unknown): ServiceError {
      letGo();
      const error = ServiceError.from(thrown);
      const failure = statusOf(error);
      failure.metadata.set(requestIdKey, requestId);
      callback(failure);
      return error;
    }

    async function answer(): Promise<OutgoingAnswer> {
      try {
        caller = callerOf(call.metadata, parts.authenticate);
        if (room.refusal !== undefined) throw room.refusal;
        const terms = callTerms(call, caller);
        // Not in a variable, which would hold them until the answer has been read.
        return await work(call.request.bytes, { terms, trace: begun.trace, signal: ending.signal });
      } finally {
        ending.release();
      }
    }

    /** As a request that has ended, with the error that it was answered with, if any. */
    const reported = (error: ServiceError | undefined): void =>
      report(
        parts,
        {
          ...begun,
          endpoint,
          path: call.getPath(),
          requestId,
          caller: caller?.name,
          startedMs,
          peer: call.getPeer(),
          answer: answered,
        },
        error,
      );
    void answer().then(succeed).catch(fail).then(reported);
  };
}
