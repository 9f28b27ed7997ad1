import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import type { ErrorCode, ServiceError } from '../../errors/service-error.ts';
import { bytesField, GatheredMessage, integerField, type Piece, stringField } from './gathered-message.ts';

const statusByCode = {
  invalid_argument: status.INVALID_ARGUMENT,
  unauthenticated: status.UNAUTHENTICATED,
  not_found: status.NOT_FOUND,
  not_acceptable: status.INVALID_ARGUMENT,
  failed_precondition: status.FAILED_PRECONDITION,
  too_large: status.INVALID_ARGUMENT,
  unsupported_media: status.INVALID_ARGUMENT,
  overloaded: status.RESOURCE_EXHAUSTED,
  cancelled: status.CANCELLED,
  deadline_exceeded: status.DEADLINE_EXCEEDED,
  unavailable: status.UNAVAILABLE,
  internal: status.INTERNAL,
} as const satisfies Record<ErrorCode, status>;

/** The domain of every google.rpc.ErrorInfo that the service sends. */
export const errorDomain = 'siglip-hd';

/** gRPC's status for a code: the one table of this transport. */
export function grpcStatus(code: ErrorCode): status {
  return statusByCode[code];
}

/**
 * What a failed call ends with: status, sentence, and in `grpc-status-details-bin` a google.rpc.Status with an
 * ErrorInfo whose reason is the error's code, and a RetryInfo where there is a time to wait. The cause stays here.
 */
export function statusOf(error: ServiceError): StatusObject {
  const code = grpcStatus(error.code);
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', statusDetails(code, error));
  // What clients with a retry policy wait for (gRFC A6).
  if (error.retryAfterMs !== undefined)
    metadata.set('grpc-retry-pushback-ms', String(Math.ceil(error.retryAfterMs)));
  return { code, details: error.message, metadata };
}

/** google.rpc.Status, encoded. Field numbers are those of google/rpc/status.proto and error_details.proto. */
function statusDetails(code: status, error: ServiceError): Buffer {
  const details = [
    any('google.rpc.ErrorInfo', [...stringField(1, error.code), ...stringField(2, errorDomain)]),
  ];
  if (error.retryAfterMs !== undefined)
    details.push(any('google.rpc.RetryInfo', bytesField(1, duration(error.retryAfterMs))));
  const message = new GatheredMessage([
    ...integerField(1, code),
    ...stringField(2, error.message),
    ...details.flatMap((detail) => bytesField(3, detail)),
  ]);
  const encoded = Buffer.alloc(message.byteLength);
  message.copy(encoded);
  return encoded;
}

/** google.protobuf.Any. */
function any(type: string, content: readonly Piece[]): Piece[] {
  return [...stringField(1, `type.googleapis.com/${type}`), ...bytesField(2, content)];
}

/** google.protobuf.Duration of a time that is not negative. */
function duration(ms: number): Piece[] {
  const wholeMs = Math.ceil(ms);
  return [...integerField(1, Math.floor(wholeMs / 1000)), ...integerField(2, (wholeMs % 1000) * 1_000_000)];
}
