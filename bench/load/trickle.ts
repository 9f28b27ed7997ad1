import type { Readable } from 'node:stream';

const everyMs = 100;

/** Takes an answer's bytes as they come, or no faster than a slow reader would. */
export function takeBytes(
  answer: Readable,
  bytesPerSecond: number | undefined,
  take: (chunk: Buffer) => void,
): void {
  if (bytesPerSecond === undefined) {
    answer.on('data', take);
    return;
  }
  const most = Math.max(1, Math.round((bytesPerSecond * everyMs) / 1000));
  const timer = setInterval(() => {
    const size = Math.min(most, answer.readableLength);
    // read(0) has a stream that holds nothing ask its source for more.
    const chunk = answer.read(size) as Buffer | null;
    if (chunk !== null) take(chunk);
  }, everyMs);
  answer.once('close', () => clearInterval(timer));
}
