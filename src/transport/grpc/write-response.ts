import type { EncodeAnswer, PlanAnswer } from '../../encoding/request.ts';
import type { ServiceError } from '../../errors/service-error.ts';
import { featureLayers, type Model as ServedModel } from '../../model/model.ts';
import { leastReady } from '../../telemetry/stage-timings.ts';
import type { AnswerMetadata } from '../../tokens/answer-metadata.ts';
import { byteLengthOf } from '../../tokens/tensor.ts';
import { write } from './definition.ts';
import { enumName } from './enum-name.ts';
import { bytesField, GatheredMessage } from './gathered-message.ts';
import type { Metadata } from './generated/encoder.ts';
import { grpcStatus } from './status.ts';

/** Numbers in encoder.proto of the fields that hold tokens, which protobufjs does not write. */
const encodeResponse = { tensor: 1 } as const;
const tensor = { data: 3 } as const;
const streamEncodeResponse = { id: 1, chunk: 2, failure: 3 } as const;
const tensorChunk = { data: 5 } as const;

/** Most bytes of a tensor in one message of a stream. */
const chunkBytes = 2 ** 20;

/** The response of any of the three encode calls. It refers to the tensor's parts and copies none of them. */
export function writeAnswer(answer: EncodeAnswer): GatheredMessage {
  const { tensor: tokens } = answer;
  const head = write.encodeResponse(withoutTensor(answer));
  const tensorHead = write.tensor({ shape: tokens.shape, dtype: enumName('DTYPE', tokens.dtype) });
  return new GatheredMessage([
    head,
    ...bytesField(encodeResponse.tensor, [tensorHead, ...bytesField(tensor.data, tokens.parts)]),
  ]);
}

/** An answer as one or more StreamEncodeResponses. They refer to the tensor's parts and copy none of them. */
export function writeChunks(id: string, answer: EncodeAnswer): GatheredMessage[] {
  const { parts } = answer.tensor;
  const tensorBytes = byteLengthOf(parts);
  let offset = 0;
  return cut(parts, chunkBytes).map((pieces) => {
    const first = offset === 0 ? withoutTensor(answer) : {};
    const head = write.tensorChunk({ ...first, offset, totalBytes: tensorBytes });
    offset += byteLengthOf(pieces);
    return streamed(id, streamEncodeResponse.chunk, [head, ...bytesField(tensorChunk.data, pieces)]);
  });
}

/** A failure as a StreamEncodeResponse. */
export function writeFailure(id: string, { code, message, retryAfterMs }: ServiceError): GatheredMessage {
  const failure = write.failure({
    reason: code,
    code: grpcStatus(code),
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) }),
  });
  return streamed(id, streamEncodeResponse.failure, [failure]);
}

export function writePlan({ metadata, tokens, sizeBytes }: PlanAnswer): Buffer {
  return write.planResponse({ metadata: metadataMessage(metadata), tokens, sizeBytes });
}

/** ListModelsResponse for the served models. Their folders stay private: encoder.proto has no field for them. */
export function writeModels(models: readonly ServedModel[]): Buffer {
  return write.listModelsResponse({
    models: models.map(({ projector = null, anyres = null, outputs, ...model }) => ({
      ...model,
      projector,
      anyres,
      features: layerName(model.features),
      featureLayers: outputs?.features ?? [model.features],
      classToken: outputs?.classToken ?? false,
      pooledChannels: outputs?.pooledChannels ?? 0,
    })),
  });
}

/** Several hidden states, and those that only a number names, have no name in encoder.proto. */
function layerName(features: string) {
  const layer = featureLayers.find((known) => known === features);
  return layer === undefined ? 'FEATURE_LAYER_UNSPECIFIED' : enumName('FEATURE_LAYER', layer);
}

function streamed(id: string, field: number, outcome: readonly Uint8Array[]): GatheredMessage {
  const idPiece = new TextEncoder().encode(id);
  return new GatheredMessage([
    ...bytesField(streamEncodeResponse.id, [idPiece]),
    ...bytesField(field, outcome),
  ]);
}

/** The fields of an answer beside its tensor, in a response and in the first chunk of a stream's. */
function withoutTensor({ metadata, timings, sources }: EncodeAnswer) {
  return {
    metadata: metadataMessage(metadata),
    timings,
    source: enumName('ANSWER_SOURCE', leastReady(sources)),
  };
}

function metadataMessage({ teacher, ...metadata }: AnswerMetadata): Metadata {
  return {
    ...metadata,
    output: enumName('OUTPUT', metadata.output),
    features: layerName(metadata.features),
    featureLayers: metadata.features.split(','),
    classToken: metadata.classToken ?? false,
    dtype: enumName('DTYPE', metadata.dtype),
    recipe: enumName('RECIPE', metadata.recipe),
    ...(teacher === undefined
      ? {}
      : {
          teacher: {
            ...teacher,
            fusion: enumName('FUSION', teacher.fusion),
            windows: enumName('WINDOWS', teacher.windows),
          },
        }),
  };
}

/** Divides the parts' bytes into runs of `sizeBytes`, the last of which may be shorter; no bytes are one empty run. */
function cut(parts: readonly Uint8Array[], sizeBytes: number): Uint8Array[][] {
  let run: Uint8Array[] = [];
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
