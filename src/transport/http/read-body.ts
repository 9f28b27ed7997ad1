import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../../errors/service-error.ts';

/** What is done with a body as it arrives. */
export interface BodyArrival {
  readonly maxBytes: number;
  /** Told of each of its pieces; throws where there is no room for it. */
  readonly onArrive: (sizeBytes: number) => void;
}

/**
 * Counts a body as it arrives and calls `over` once when it passes the limit, or finds no room. Refuses at once,
 * by throwing too_large, a body whose content-length says so already, and asks a client for its body that waits to
 * be asked.
 */
export function limitBody(
  request: IncomingMessage,
  continueBody: () => void,
  { maxBytes, onArrive }: BodyArrival,
  over: (error: ServiceError) => void,
): void {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw bodyTooLarge(maxBytes);
  if (request.headers.expect !== undefined) continueBody();
  let bytes = 0;
  request.on('data', function count(chunk: Buffer) {
    bytes += chunk.byteLength;
    try {
      if (bytes > maxBytes) throw bodyTooLarge(maxBytes);
      onArrive(chunk.byteLength);
    } catch (thrown) {
      request.off('data', count);
      over(ServiceError.from(thrown));
    }
  });
}

const nothing = Buffer.alloc(0);

/** What is announced may never come: so much is made at first, and then twice as much. */
const firstBytes = 256 * 1024;

/**
 * The whole body, in a buffer of its own. Rejects with too_large as soon as the limit is passed, and with
 * cancelled when the client leaves before its end.
 */
export async function readBody(
  request: IncomingMessage,
  continueBody: () => void,
  arrival: BodyArrival,
): Promise<Uint8Array<ArrayBuffer>> {
  const { maxBytes } = arrival;
  const announced = request.headers['content-length'];
  const most = announced === undefined ? maxBytes : Number(announced);
  return await new Promise((resolve, reject) => {
    const left = (cause?: Error): void =>
      reject(new ServiceError('cancelled', 'The client went away.', { cause }));
    if (request.destroyed) return left();
    let isOver = false;
    const stop = (error: ServiceError): void => {
      isOver = true;
      body = nothing;
      reject(error);
    };
    let body = nothing;
    limitBody(request, continueBody, arrival, stop);
    body = Buffer.allocUnsafeSlow(Math.min(most, firstBytes));
    let length = 0;
    const append = (chunk: Buffer): void => {
      if (isOver || length + chunk.byteLength > maxBytes) return;
      if (length + chunk.byteLength > body.byteLength) {
        const wanted = Math.max(2 * body.byteLength, length + chunk.byteLength);
        const larger = Buffer.allocUnsafeSlow(Math.min(most, wanted));
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
        const whole = body.subarray(0, length);
        // The request outlives this by as long as its answer is read, and its listeners hold what is named here.
        body = nothing;
        resolve(whole);
      })
      .once('close', left)
      .once('error', left);
  });
}

function bodyTooLarge(maxBytes: number): ServiceError {
  const [unit, unitBytes] = maxBytes < 2 ** 20 ? ['KiB', 2 ** 10] : ['MiB', 2 ** 20];
  const limit = `${(maxBytes / unitBytes).toLocaleString('en', { maximumFractionDigits: 1 })} ${unit}`;
  return new ServiceError('too_large', `The body is over the limit of ${limit}.`);
}
