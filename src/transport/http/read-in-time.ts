import type { ServerResponse } from 'node:http';
import { limitReading } from '../slow-reader.ts';
import type { HttpLimits } from './limits.ts';

/** Drops the connection of a client that does not read an answer of `sizeBytes` in time. */
export function readInTime(response: ServerResponse, sizeBytes: number, limits: HttpLimits): void {
  if (response.destroyed) return;
  const pace = { graceMs: limits.readGraceMs, bytesPerSecond: limits.readBytesPerSecond };
  const start = (): void => {
    response.once(
      'close',
      limitReading(sizeBytes, pace, () => response.destroy()),
    );
  };
  // The response to a pipelined request has no connection before its turn.
  if (response.socket === null) response.once('socket', start);
  else start();
}
