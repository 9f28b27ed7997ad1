import { type handleUnaryCall, Metadata } from '@grpc/grpc-js';
import type { Caller } from '../caller.ts';
import { ServiceError } from '../errors.ts';
import type { Authenticate } from '../security/authenticate.ts';
import { callerOf } from './call-caller.ts';
import { callSignal } from './call-signal.ts';
import { callTerms } from './call-terms.ts';
import type { CallTerms } from './encode-request.ts';
import { cutOff, wasCutOff } from './call-stream.ts';
import { statusOf } from './errors.ts';
import type { GrpcLimits } from './limits.ts';
import { type ArrivedMessage, noBytes } from './message-door.ts';
import type { MessageDoors } from './message-doors.ts';
import type { GatheredMessage } from './protobuf.ts';
import { ReadingLimit } from '../reading-limit.ts';
import type { LoggedAnswer } from '../request-log.ts';
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
    let caller: Caller | undefined;
    let answered: LoggedAnswer | undefined;

    /** A client that does not read its answer is not to hold what it sent. */
    function letGo(): void {
      call.request.bytes = noBytes;
      room.release();
    }

    /** Resolves when the client has read the answer, or will not: with what it ended with then. */
    async function succeed({ message, release }: OutgoingAnswer): Promise<ServiceError | undefined> {
      const { readGraceMs: graceMs, readBytesPerSecond: bytesPerSecond } = parts.limits;
      const reading = new ReadingLimit({
        graceMs,
        bytesPerSecond,
        onLate: () => cutOff(call),
        now: monotonic,
      });
      reading.add(message.byteLength);
      reading.start();
      // grpc-js says so of every call that ends, its message read or not.
      const ended = call.cancelled
        ? Promise.resolve()
        : new Promise<void>((resolve) => call.once('cancelled', resolve));
      const headers = new Metadata();
      headers.set(requestIdKey, requestId);
      call.sendMetadata(headers);
      callback(null, message);
      await ended;
      reading.stop();
      release?.();
      return wasCutOff(call) ? new ServiceError('cancelled', 'The answer was not read.') : undefined;
    }

    function fail(error: ServiceError): void {
      const failure = statusOf(error);
      failure.metadata.set(requestIdKey, requestId);
      callback(failure);
    }

    async function answer(): Promise<ServiceError | undefined> {
      try {
        caller = callerOf(call.metadata, parts.authenticate);
        if (room.refusal !== undefined) throw room.refusal;
        const terms = callTerms(call, caller);
        // Not in a variable, which would hold them until the answer has been read.
        const outgoing = await work(call.request.bytes, {
          terms,
          trace: begun.trace,
          signal: ending.signal,
        });
        letGo();
        answered = outgoing.answer;
        ending.release();
        return await succeed(outgoing);
      } catch (thrown) {
        letGo();
        const error = ServiceError.from(thrown);
        fail(error);
        return error;
      } finally {
        ending.release();
      }
    }
    void answer().then((error) =>
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
      ),
    );
  };
}
