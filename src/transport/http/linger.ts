import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/** Whether a request has a body that has not arrived in full. */
export function isArriving(request: IncomingMessage): boolean {
  if (request.complete || request.readableEnded) return false;
  const { 'transfer-encoding': encoding, 'content-length': length } = request.headers;
  return encoding !== undefined || Number(length ?? 0) > 0;
}

/**
 * An answer that does not end before its request has arrived, or `lingerMs` have passed; the rest of the request is
 * read and thrown away. Node destroys a connection as soon as its last response ends. If the client is still
 * sending then, the connection is reset and the client may never see the answer.
 */
export function lingering(answer: string | Uint8Array, request: IncomingMessage, lingerMs: number): Readable {
  return Readable.from(untilArrived(Buffer.from(answer), request, lingerMs), { objectMode: false });
}

async function* untilArrived(answer: Buffer, request: IncomingMessage, lingerMs: number) {
  yield answer;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, lingerMs);
    const arrived = (): void => {
      clearTimeout(timer);
      resolve();
    };
    request.unpipe();
    request.once('end', arrived).once('close', arrived).resume();
  });
}
