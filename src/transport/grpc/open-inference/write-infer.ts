import { openInferenceMessage } from '../../../open-inference/definition.ts';
import type { InferParameter, ModelInferResponse } from '../../../open-inference/generated/open-inference.ts';
import type { InferAnswer } from '../../open-inference/infer-answer.ts';
import type { ParameterValue } from '../../open-inference/infer-request.ts';
import { bytesField, GatheredMessage } from '../gathered-message.ts';

/** Number of the field that holds the tokens, which protobufjs does not write. */
const rawOutputContents = 6;

const { serialize } = openInferenceMessage<ModelInferResponse, never>('ModelInferResponse');

/** A ModelInferResponse with raw contents. It refers to the tensor's parts and copies none of them. */
export function writeInferAnswer({ output, ...answer }: InferAnswer): GatheredMessage {
  const { name, datatype, tensor } = output;
  const parameters = Object.entries(answer.parameters).map(([key, value]) => [key, parameterOf(value)]);
  const head = serialize({
    modelName: answer.modelName,
    modelVersion: answer.modelVersion,
    id: answer.id,
    parameters: Object.fromEntries(parameters) as Record<string, InferParameter>,
    outputs: [{ name, datatype, shape: tensor.shape }],
  });
  return new GatheredMessage([head, ...bytesField(rawOutputContents, tensor.parts)]);
}

function parameterOf(value: ParameterValue): InferParameter {
  if (typeof value === 'string') return { stringParam: value };
  return typeof value === 'boolean' ? { boolParam: value } : { int64Param: value };
}
