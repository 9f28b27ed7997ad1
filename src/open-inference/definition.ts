import type { MessageTypeDefinition } from '@grpc/proto-loader';
import { loadProto } from '../network/load-proto.ts';

/** Fully qualified name of the service. */
export const openInferenceService = 'inference.GRPCInferenceService';

/** Everything in open_inference.proto. */
export const openInferencePackage = loadProto('inference/open_inference.proto');

/** How a message is written and read. */
export function openInferenceMessage<Input, Output>(name: string): MessageTypeDefinition<Input, Output> {
  const definition: unknown = openInferencePackage[`inference.${name}`];
  return definition as MessageTypeDefinition<Input, Output>;
}
