import { type handleUnaryCall, Metadata } from '@grpc/grpc-js';
import { type ErrorCode, ServiceError } from '../errors.ts';
import { callSignal } from './call-signal.ts';
import { statusOf } from './errors.ts';
import type { GatheredMessage } from './protobuf.ts';
import { requestIdKey, requestIdOf } from './request-id.ts';
import { logRequest, type RequestLogger } from '../request-log.ts';

/** One finished request, for metrics. */
export interface ObservedRequest {
  readonly transport: 'grpc';
  readonly endpoint: string;
  readonly code: ErrorCode | 'ok';
  /** From the whole request's arrival to the answer's hand-over, in milliseconds. */
  readonly durationMs: number;
}

/** A message as it goes out: protobufjs's Buffer, or one that is still in pieces. */
export type EncodedMessage = Buffer | GatheredMessage;

export interface RequestWatch {
  readonly logger: RequestLogger;
  readonly observe?: (request: ObservedRequest) => void;
}

/**
 * A grpc-js handler around `work`, which gives an encoded message: hands it a signal for the call's end, answers what
 * it returns or throws, and logs and observes the request. The request id goes out in the initial metadata of an
 * answer, and in the trailing metadata of a failure, since headers before a failure would keep a client's retry policy
 * from acting on it.
 */
export function unary(
  endpoint: string,
  { logger, observe }: RequestWatch,
  work: (request: Buffer, signal: AbortSignal) => EncodedMessage | Promise<EncodedMessage>,
): handleUnaryCall<Buffer, EncodedMessage> {
  return (call, callback) => {
    const startedMs = performance.now();
    const requestId = requestIdOf(call.metadata);
    const ending = callSignal(call);

    function succeed(message: EncodedMessage): void {
      const headers = new Metadata();
      headers.set(requestIdKey, requestId);
      call.sendMetadata(headers);
      callback(null, message);
    }

    function fail(error: ServiceError): void {
      const failure = statusOf(error);
      failure.metadata.set(requestIdKey, requestId);
      callback(failure);
    }

    function report(error: ServiceError | undefined): void {
      const durationMs = performance.now() - startedMs;
      const code = error?.code ?? 'ok';
      logRequest(logger, { transport: 'grpc', endpoint, requestId, code, durationMs, failure: error });
      observe?.({ transport: 'grpc', endpoint, code, durationMs });
    }

    async function answer(): Promise<ServiceError | undefined> {
      try {
        succeed(await work(call.request, ending.signal));
        return undefined;
      } catch (thrown) {
        const error = ServiceError.from(thrown);
        fail(error);
        return error;
      } finally {
        ending.release();
      }
    }
    void answer().then(report);
  };
}
