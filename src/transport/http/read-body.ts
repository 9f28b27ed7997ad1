import type { FastifyReply, FastifyRequest } from 'fastify';
import { abortFailure } from '../../errors/abort.ts';
import { ServiceError } from '../../errors/service-error.ts';

/** A body of undeclared length gets a buffer of this size at first, and then one of twice the size. */
const firstBytes = 256 * 1024;

/** The length that a request declares for its body: 0 without a body, undefined for one of unknown length. */
export function declaredBytes({ headers }: FastifyRequest): number | undefined {
  if (headers['content-length'] !== undefined) return Number(headers['content-length']);
  return headers['transfer-encoding'] === undefined ? 0 : undefined;
}

/**
 * Asks for a body if its client waits to be asked, and lets it flow. Throws too_large if its declared length is over
 * the limit. Calls `fail` when it passes the limit, or when nobody waits for its answer any more.
 */
export function receiveBody(
  request: FastifyRequest,
  reply: FastifyReply,
  maxBytes: number,
  fail: (failure: ServiceError) => void,
): void {
  const { raw, headers, scope } = request;
  if ((declaredBytes(request) ?? 0) > maxBytes) throw bodyTooLarge(maxBytes);
  const leave = (): void => fail(abortFailure(scope.signal));
  if (scope.signal.aborted) leave();
  else scope.signal.addEventListener('abort', leave, { once: true });
  // HTTP/1.0 has no interim answers, so an expectation that comes with it is ignored (RFC 9110, 10.1.1).
  if (/\b100-continue\b/i.test(headers.expect ?? '') && raw.httpVersionMinor > 0) reply.raw.writeContinue();
  let sizeBytes = 0;
  raw.on('data', function count({ byteLength }: Buffer) {
    sizeBytes += byteLength;
    if (sizeBytes <= maxBytes) return;
    raw.off('data', count);
    fail(bodyTooLarge(maxBytes));
  });
}

/** The whole body, in a buffer of its own. */
export async function readBody(
  request: FastifyRequest,
  reply: FastifyReply,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const most = Math.min(declaredBytes(request) ?? maxBytes, maxBytes);
  return await new Promise((resolve, reject) => {
    let body: Buffer<ArrayBuffer> | undefined;
    let length = 0;
    const stop = (failure: ServiceError): void => {
      // The request lives until its answer has been read, and its listeners with it.
      body = undefined;
      reject(failure);
    };
    receiveBody(request, reply, maxBytes, stop);
    body = Buffer.allocUnsafeSlow(declaredBytes(request) ?? Math.min(most, firstBytes));
    request.raw.on('data', (chunk: Buffer) => {
      if (body === undefined) return;
      const needed = length + chunk.byteLength;
      if (needed > body.byteLength) body = grown(body, length, Math.min(most, Math.max(2 * length, needed)));
      length += chunk.copy(body, length);
    });
    request.raw.once('end', () => {
      if (body !== undefined) resolve(body.subarray(0, length));
      body = undefined;
    });
  });
}

function grown(body: Buffer, length: number, sizeBytes: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafeSlow(sizeBytes);
  body.copy(larger, 0, 0, length);
  return larger;
}

function bodyTooLarge(maxBytes: number): ServiceError {
  const [unit, unitBytes] = maxBytes < 2 ** 20 ? ['KiB', 2 ** 10] : ['MiB', 2 ** 20];
  const limit = `${(maxBytes / unitBytes).toLocaleString('en', { maximumFractionDigits: 1 })} ${unit}`;
  return new ServiceError('too_large', `The body is over the limit of ${limit} (--max-body-bytes).`);
}
