import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../errors.ts';

/**
 * Counts a body as it arrives and calls `over` once when it passes the limit. Refuses at once, by throwing
 * too_large, a body whose content-length says so already, and asks a client for its body that waits to be asked.
 */
export function limitBody(
  request: IncomingMessage,
  continueBody: () => void,
  maxBytes: number,
  over: (error: ServiceError) => void,
): void {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw bodyTooLarge(maxBytes);
  if (request.headers.expect !== undefined) continueBody();
  let bytes = 0;
  request.on('data', function count(chunk: Buffer) {
    bytes += chunk.byteLength;
    if (bytes <= maxBytes) return;
    request.off('data', count);
    over(bodyTooLarge(maxBytes));
  });
}

/**
 * The whole body, in a buffer of its own. Rejects with too_large as soon as the limit is passed, and with
 * cancelled when the client leaves before its end.
 */
export async function readBody(
  request: IncomingMessage,
  continueBody: () => void,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const expected = Number(request.headers['content-length'] ?? 64 * 1024);
  return await new Promise((resolve, reject) => {
    const left = (cause?: Error): void =>
      reject(new ServiceError('cancelled', 'The client went away.', { cause }));
    if (request.destroyed) return left();
    limitBody(request, continueBody, maxBytes, reject);
    let body = Buffer.allocUnsafeSlow(expected);
    let length = 0;
    const append = (chunk: Buffer): void => {
      if (length + chunk.byteLength > maxBytes) return;
      if (length + chunk.byteLength > body.byteLength) {
        const larger = Buffer.allocUnsafeSlow(Math.max(2 * body.byteLength, length + chunk.byteLength));
        body.copy(larger, 0, 0, length);
        body = larger;
      }
      length += chunk.copy(body, length);
    };
    request
      .on('data', append)
      .once('end', () => {
        // Every request closes in the end: leaving would cost each an error that nobody gets.
        request.off('close', left);
        resolve(body.subarray(0, length));
      })
      .once('close', left)
      .once('error', left);
  });
}

function bodyTooLarge(maxBytes: number): ServiceError {
  const limit = `${(maxBytes / 2 ** 20).toLocaleString('en', { maximumFractionDigits: 1 })} MiB`;
  return new ServiceError('too_large', `The body is over the limit of ${limit}.`);
}
