import { randomUUID } from 'node:crypto';

/** The header or key of gRPC metadata that carries a request's id, in both directions. */
export const requestIdKey = 'x-request-id';

/** The caller's id if it is 1 to 128 visible ASCII characters, otherwise a new UUID. */
export function requestIdOf(given: unknown): string {
  return typeof given === 'string' && /^[!-~]{1,128}$/.test(given) ? given : randomUUID();
}
