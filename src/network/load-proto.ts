import { fileURLToPath } from 'node:url';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';

/**
 * Loads a file of the folder proto. An absent message reads as null, an absent scalar as zero, and an enum value as its name.
 * scripts/grpc-types.js generates the types for these options.
 */
export function loadProto(file: string): PackageDefinition {
  // The folder lies beside src and build.
  const includeDirs = [fileURLToPath(new URL('../../../proto', import.meta.url))];
  return loadSync(file, { includeDirs, defaults: true, oneofs: true, longs: Number, enums: String });
}
