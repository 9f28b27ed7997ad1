import type { FastifyReply, FastifyRequest } from 'fastify';
import { abortFailure } from '../../errors/abort.ts';
import { ServiceError } from '../../errors/service-error.ts';

/** The first buffer for a body of undeclared length. It is doubled as needed. */
const firstBytes = 256 * 1024;

/** The declared length of a request's body: 0 if it has none, undefined if it declares no length. */
export function declaredBytes({ headers }: FastifyRequest): number | undefined {
  if (headers['content-length'] !== undefined) return Number(headers['content-length']);
  return headers['transfer-encoding'] === undefined ? 0 : undefined;
}

/**
 * Starts to receive a body, and sends `100 Continue` to a client that waits for it. Throws `too_large` if the declared
 * length exceeds the limit. Calls `fail` if the body itself exceeds it, or if the request is aborted. `tooLarge` makes the
 * error for a body over the limit, and `take` gets each chunk within it.
 *
 * Call the returned function when the body has arrived. A listener lives as long as its request, which is until the
 * client has read the answer, and keeps in memory what it refers to.
 */
export function receiveBody(
  request: FastifyRequest,
  reply: FastifyReply,
  maxBytes: number,
  fail: (failure: ServiceError) => void,
  tooLarge = bodyTooLarge,
  take?: (chunk: Buffer) => void,
): () => void {
  const { raw, headers, scope } = request;
  if ((declaredBytes(request) ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (scope.signal.aborted) throw abortFailure(scope.signal);
  let sizeBytes = 0;
  const count = (chunk: Buffer): void => {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBytes) fail(tooLarge(maxBytes));
    else take?.(chunk);
  };
  const leave = (): void => fail(abortFailure(scope.signal));
  scope.signal.addEventListener('abort', leave);
  // HTTP/1.0 has no interim answers, so an expectation that comes with it is ignored (RFC 9110, 10.1.1).
  if (/\b100-continue\b/i.test(headers.expect ?? '') && raw.httpVersionMinor > 0) reply.raw.writeContinue();
  raw.on('data', count);
  // Starts reading at once. Otherwise Node stops the socket when a second chunk arrives before the stream's first read.
  raw.read(0);
  return () => {
    raw.off('data', count);
    scope.signal.removeEventListener('abort', leave);
  };
}

/** The whole body, in a buffer of its own. Rejects where {@link receiveBody} throws or fails. */
export function readBody(
  request: FastifyRequest,
  reply: FastifyReply,
  maxBytes: number,
  tooLarge = bodyTooLarge,
): Promise<Uint8Array<ArrayBuffer>> {
  const { raw } = request;
  const most = Math.min(declaredBytes(request) ?? maxBytes, maxBytes);
  return new Promise((resolve, reject) => {
    const stopReceiving = receiveBody(request, reply, maxBytes, fail, tooLarge, take);
    let body = Buffer.allocUnsafeSlow(declaredBytes(request) ?? Math.min(most, firstBytes));
    let length = 0;
    raw.once('end', end);

    function take(chunk: Buffer): void {
      const needed = length + chunk.byteLength;
      if (needed > most) return;
      if (needed > body.byteLength) body = grown(body, length, Math.min(most, Math.max(2 * length, needed)));
      length += chunk.copy(body, length);
    }

    function end(): void {
      stop();
      resolve(body.subarray(0, length));
    }

    function fail(failure: ServiceError): void {
      stop();
      reject(failure);
    }

    function stop(): void {
      stopReceiving();
      raw.off('end', end);
    }
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
