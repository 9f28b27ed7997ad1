import type { Logger } from 'pino';
import type { Encoder } from '../encoding/encoder.ts';
import { type EncoderConfig, noTimeoutMs } from '../encoding/encoder-config.ts';
import type { EncoderObserver } from '../encoding/encoder-observer.ts';

/** Opens the service's pipeline in this process, without transports: these `Methods` of it, and `close`. */
export type CreateEncoder<Methods extends keyof Encoder> = (
  config: EncoderConfig,
  logger: Logger,
  observer?: EncoderObserver,
) => Promise<Pick<Encoder, Methods | 'close'>>;

/** What an encoder of a command may hold: nobody else waits for it, and the command bounds what it asks for at one time. */
export const commandLimits = {
  maxQueuedViews: Number.POSITIVE_INFINITY,
  maxAnswerBytes: Number.POSITIVE_INFINITY,
  maxUnreadBytes: Number.POSITIVE_INFINITY,
  cacheBytes: 0,
  shareCache: false,
  requestTimeoutMs: noTimeoutMs,
} as const;

/**
 * Runs `work` with an encoder, then closes it. Once the signal fires, rejects with its reason and no longer waits for the
 * encoder to open or to close: nothing cuts a native call short, and an interrupted command ends its process.
 */
export async function useEncoder<Opened extends { close(): Promise<void> }, Result>(
  opening: Promise<Opened>,
  signal: AbortSignal,
  work: (encoder: Opened) => Promise<Result>,
): Promise<Result> {
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    return await work(await Promise.race([opening, aborted]));
  } finally {
    await Promise.race([opening.then((encoder) => encoder.close()), aborted]);
  }
}
