import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';

/** Fully qualified name of the service. */
export const openInferenceService = 'inference.GRPCInferenceService';

/** Folder of the .proto files, beside src and build. */
const protoFolder = fileURLToPath(new URL('../../../proto', import.meta.url));

/**
 * Everything in open_inference.proto. An absent message reads as null, an absent scalar as zero, and an enum value as its
 * name. scripts/grpc-types.js generates the types for these options.
 */
export const openInferencePackage: PackageDefinition = loadSync('inference/open_inference.proto', {
  includeDirs: [protoFolder],
  defaults: true,
  oneofs: true,
  longs: Number,
  enums: String,
});

/** How a message is written and read. */
export function openInferenceMessage<Input, Output>(name: string): MessageTypeDefinition<Input, Output> {
  const definition: unknown = openInferencePackage[`inference.${name}`];
  return definition as MessageTypeDefinition<Input, Output>;
}
