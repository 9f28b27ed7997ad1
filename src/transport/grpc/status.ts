import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';
import type { ErrorCode, ServiceError } from '../../errors/service-error.ts';
import { requestIdKey } from '../request-id.ts';

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
const errorDomain = 'siglip-hd';

/** The gRPC status of an error code. */
export function grpcStatus(code: ErrorCode): status {
  return statusByCode[code];
}

/**
 * The most characters of a message, which a trailer carries twice. A client that receives more header bytes than it accepts
 * waits forever, and so do the other calls of its connection.
 */
const longestMessage = 1024;

/**
 * The status of a failed call: code, message, the request's id, and in `grpc-status-details-bin` a google.rpc.Status with
 * an ErrorInfo, whose reason is the error's code, and a RetryInfo if there is a time to wait. The cause is not sent.
 */
export function statusOf(
  error: ServiceError,
  requestId: string,
  code = grpcStatus(error.code),
): StatusObject {
  const metadata = new Metadata();
  metadata.set(requestIdKey, requestId);
  const message = error.message.slice(0, longestMessage);
  metadata.set('grpc-status-details-bin', statusDetails(code, error.withMessage(message)));
  // Clients with a retry policy wait for this time (gRFC A6).
  if (error.retryAfterMs !== undefined)
    metadata.set('grpc-retry-pushback-ms', String(Math.ceil(error.retryAfterMs)));
  return { code, details: message, metadata };
}

/** Protobuf tags of fields 1 to 3: the field number times 8, plus 2 for strings, bytes and messages. */
const tag = { integer1: 8, bytes1: 10, integer2: 16, bytes2: 18, bytes3: 26 } as const;

/** google.rpc.Status, encoded. Field numbers are those of google/rpc/status.proto and error_details.proto. */
function statusDetails(code: status, { code: reason, message, retryAfterMs }: ServiceError): Buffer {
  const info = writer().uint32(tag.bytes1).string(reason).uint32(tag.bytes2).string(errorDomain);
  const details = writer().uint32(tag.integer1).int32(code).uint32(tag.bytes2).string(message);
  details.uint32(tag.bytes3).bytes(any('google.rpc.ErrorInfo', info));
  if (retryAfterMs !== undefined) {
    const retry = writer().uint32(tag.bytes1).bytes(duration(retryAfterMs));
    details.uint32(tag.bytes3).bytes(any('google.rpc.RetryInfo', retry));
  }
  return Buffer.from(details.finish());
}

function writer(): protobuf.Writer {
  return protobuf.Writer.create();
}

/** google.protobuf.Any. */
function any(type: string, message: protobuf.Writer): Uint8Array {
  const url = `type.googleapis.com/${type}`;
  return writer().uint32(tag.bytes1).string(url).uint32(tag.bytes2).bytes(message.finish()).finish();
}

/** google.protobuf.Duration. `ms` must not be negative. */
function duration(ms: number): Uint8Array {
  const wholeMs = Math.ceil(ms);
  const seconds = Math.floor(wholeMs / 1000);
  const nanos = (wholeMs % 1000) * 1_000_000;
  return writer().uint32(tag.integer1).int64(seconds).uint32(tag.integer2).int32(nanos).finish();
}
