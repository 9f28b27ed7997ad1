import { randomUUID } from 'node:crypto';

/** The caller's x-request-id when it is 1 to 128 visible ASCII characters, otherwise a new UUID. */
export function requestId(header: string | string[] | undefined): string {
  if (typeof header === 'string' && /^[\x21-\x7e]{1,128}$/.test(header)) return header;
  return randomUUID();
}
