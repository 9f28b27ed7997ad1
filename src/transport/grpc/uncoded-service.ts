import type { ServiceDefinition } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import type { EncodedMessage } from './gathered-message.ts';
import { RequestMessage } from './request-message.ts';

/** A service of a package for grpc-js, which neither reads nor writes its messages: the methods report what fails there. */
export function uncodedService(packageDefinition: PackageDefinition, name: string): ServiceDefinition {
  const service: unknown = packageDefinition[name];
  const methods = Object.entries(service as ServiceDefinition).map(([key, method]) => [
    key,
    {
      ...method,
      requestDeserialize: (bytes: Buffer) => new RequestMessage(bytes),
      // grpc-js only uses what a GatheredMessage and a Buffer have in common.
      responseSerialize: (message: EncodedMessage) => message as Buffer,
    },
  ]);
  return Object.fromEntries(methods) as ServiceDefinition;
}
