import type { EncodeAnswer } from '../../encoding/request.ts';
import { leastReady } from '../../telemetry/stage-timings.ts';
import { metadataMessage } from './answer-metadata.ts';
import { wire } from './definition.ts';
import { dtypeNumbers, sourceNumbers } from './messages.ts';
import { bytesField, GatheredMessage, owned } from './gathered-message.ts';

/** Field numbers of encoder.proto for what is not written by protobufjs. */
const tensorField = 1;
const dataField = 3;

/**
 * The response of any of the three encode calls. The tensor's parts are not copied here: they are referred to until
 * the message is copied to grpc-js's output buffer, which is the one copy they go through.
 */
export function serializeAnswer({ tensor, metadata, timings, sources }: EncodeAnswer): GatheredMessage {
  const head = wire.encodeResponse.serialize({
    metadata: metadataMessage(metadata),
    timings,
    source: sourceNumbers[leastReady(sources)],
  });
  const tensorHead = wire.tensor.serialize({ shape: tensor.shape, dtype: dtypeNumbers[tensor.dtype] });
  return new GatheredMessage([
    owned(head),
    ...bytesField(tensorField, [owned(tensorHead), ...bytesField(dataField, tensor.parts)]),
  ]);
}
