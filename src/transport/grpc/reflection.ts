import type { Server } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';

/**
 * Describes the services of some packages to clients. ReflectionService decodes the files of every definition that it is
 * given, and each message has all files of its package, so it is given one message of each.
 */
export function addReflection(server: Server, packages: readonly PackageDefinition[]): void {
  const messages = packages.flatMap((one) =>
    Object.entries(one)
      .filter(([, definition]) => 'fileDescriptorProtos' in definition)
      .slice(0, 1),
  );
  new ReflectionService(Object.fromEntries(messages)).addToServer(server);
}
