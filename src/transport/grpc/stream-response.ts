import type { ServiceError } from '../../errors/service-error.ts';
import type { EncodeAnswer } from '../../encoding/request.ts';
import { leastReady } from '../../telemetry/stage-timings.ts';
import { metadataMessage } from './answer-metadata.ts';
import { wire } from './definition.ts';
import { grpcStatus } from './status.ts';
import { sourceNumbers } from './messages.ts';
import {
  bytesField,
  GatheredMessage,
  owned,
  type Piece,
  stringField,
  totalBytes,
} from './gathered-message.ts';

/** Field numbers of encoder.proto: of StreamEncodeResponse, and of TensorChunk. */
const idField = 1;
const chunkField = 2;
const failureField = 3;
const dataField = 5;

/** Most bytes of a tensor in one message. */
const chunkBytes = 2 ** 20;

/**
 * An answer as StreamEncodeResponses, at least one. As with a unary answer, the tensor's parts are referred to until
 * each message is copied to grpc-js's output buffer.
 */
export function answerMessages(
  id: string,
  { tensor, metadata, timings, sources }: EncodeAnswer,
): GatheredMessage[] {
  const totalTensorBytes = totalBytes(tensor.parts);
  let offset = 0;
  return cut(tensor.parts, chunkBytes).map((pieces) => {
    const head = wire.tensorChunk.serialize({
      ...(offset === 0
        ? { metadata: metadataMessage(metadata), timings, source: sourceNumbers[leastReady(sources)] }
        : {}),
      offset,
      totalBytes: totalTensorBytes,
    });
    offset += totalBytes(pieces);
    return response(id, chunkField, [owned(head), ...bytesField(dataField, pieces)]);
  });
}

/** A failure as a StreamEncodeResponse. */
export function failureMessage(id: string, error: ServiceError): GatheredMessage {
  const { code, message, retryAfterMs } = error;
  const failure = wire.failure.serialize({
    reason: code,
    code: grpcStatus(code),
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) }),
  });
  return response(id, failureField, [owned(failure)]);
}

function response(id: string, field: number, outcome: readonly Piece[]): GatheredMessage {
  return new GatheredMessage([...stringField(idField, id), ...bytesField(field, outcome)]);
}

/** The parts' bytes in runs of `sizeBytes`, the last of what is left; one empty run for no bytes. */
function cut(parts: readonly Piece[], sizeBytes: number): Piece[][] {
  let run: Piece[] = [];
  const runs = [run];
  let room = sizeBytes;
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; ) {
      if (room === 0) {
        run = [];
        runs.push(run);
        room = sizeBytes;
      }
      const piece = part.subarray(at, at + room);
      run.push(piece);
      at += piece.byteLength;
      room -= piece.byteLength;
    }
  }
  return runs;
}
