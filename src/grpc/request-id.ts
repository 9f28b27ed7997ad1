import { randomUUID } from 'node:crypto';
import type { Metadata } from '@grpc/grpc-js';

export const requestIdKey = 'x-request-id';

/** The caller's request id where it is 1 to 128 visible ASCII characters, a new one otherwise. */
export function requestIdOf(metadata: Metadata): string {
  const [given] = metadata.get(requestIdKey);
  return typeof given === 'string' && /^[!-~]{1,128}$/.test(given) ? given : randomUUID();
}
