import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';

/** Fully qualified name of the service. */
export const openInferenceService = 'inference.GRPCInferenceService';

/** Everything in open_inference.proto. */
export const openInferencePackage = loadProto('inference/open_inference.proto');

/** How a message is written and read. */
export function openInferenceMessage<Input, Output>(name: string): MessageTypeDefinition<Input, Output> {
  const definition: unknown = openInferencePackage[`inference.${name}`];
  return definition as MessageTypeDefinition<Input, Output>;
}

/**
 * Loads a file of the folder proto. An absent message reads as null, an absent scalar as zero, and an enum value as its name.
 * scripts/grpc-types.js generates the types for these options.
 */
export function loadProto(file: string): PackageDefinition {
  // The folder lies beside src and build.
  const includeDirs = [fileURLToPath(new URL('../../../proto', import.meta.url))];
  return loadSync(file, { includeDirs, defaults: true, oneofs: true, longs: Number, enums: String });
}
