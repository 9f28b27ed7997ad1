import { createHash } from 'node:crypto';
import { createClient, RESP_TYPES } from '@redis/client';
import type { Logger } from 'pino';
import type { EncodedImage } from '../encoded-image.ts';
import type { SecondLevel } from './remote-cache.ts';
import { readStoredImage, storedImage } from './stored-image.ts';

export interface RedisCacheOptions {
  /** redis[s]://[[username][:password]@]host[:port][/database] */
  readonly url: string;
  /** How long a request waits for an answer. */
  readonly timeoutMs: number;
  /** After which a value is forgotten. */
  readonly keepMs: number;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

/** Values that are larger are not kept here: to copy and to hash them would cost more than they save. */
const largestBytes = 2 ** 25;

/** Of values on their way to Redis at one time; more are not kept. */
const mostWriteBytes = 2 ** 26;

/** For so long nothing is asked after Redis was slow or gone. */
const pauseMs = 1000;

/**
 * Tokens in Redis, for several services at once. It is asked while it answers: one lookup that fails or takes too
 * long has all go by without it for a second.
 */
export class RedisCache implements SecondLevel {
  readonly #client;
  readonly #options: RedisCacheOptions;
  #writeBytes = 0;
  #pausedUntil = 0;

  constructor(options: RedisCacheOptions) {
    const { url, timeoutMs, logger } = options;
    this.#options = options;
    this.#client = createClient({
      url,
      // A command that cannot be sent now is a miss.
      disableOfflineQueue: true,
      socket: { connectTimeout: Math.max(1000, timeoutMs), reconnectStrategy: () => pauseMs },
    }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    let isTold = false;
    this.#client.on('error', (error: Error) => {
      if (!isTold) logger.warn({ err: error }, 'redis is not there: the service goes on without it');
      isTold = true;
    });
    this.#client.on('ready', () => {
      isTold = false;
      logger.info('redis is there');
    });
    // It goes on trying by itself.
    this.#client.connect().catch(() => undefined);
  }

  async get(key: string): Promise<EncodedImage | undefined> {
    if (!this.#isAsked()) return undefined;
    const bytes = await this.#inTime(this.#client.get(keyOf(key)));
    return bytes === undefined || bytes === null ? undefined : await readStoredImage(bytes);
  }

  set(key: string, image: EncodedImage): void {
    const bytes = image.parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (!this.#isAsked() || bytes > largestBytes || this.#writeBytes + bytes > mostWriteBytes) return;
    this.#writeBytes += bytes;
    void this.#write(key, image).finally(() => {
      this.#writeBytes -= bytes;
    });
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  async #write(key: string, image: EncodedImage): Promise<void> {
    try {
      const expiration = { type: 'PX', value: this.#options.keepMs } as const;
      await this.#client.set(keyOf(key), await storedImage(image), { expiration });
    } catch {
      // Its loss is a miss for the next one that asks; the connection's error is logged.
      this.#pause();
    }
  }

  #isAsked(): boolean {
    return this.#client.isReady && performance.now() >= this.#pausedUntil;
  }

  #pause(): void {
    this.#pausedUntil = performance.now() + pauseMs;
  }

  /** What is answered in time; undefined, and a pause, when not. */
  async #inTime<T>(answer: Promise<T>): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        this.#pause();
        resolve(undefined);
      }, this.#options.timeoutMs);
    });
    const safe = answer.catch((): undefined => {
      this.#pause();
      return undefined;
    });
    try {
      return await Promise.race([safe, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Short, and without the words of a caller's options. */
function keyOf(key: string): string {
  return `siglip-hd:${createHash('sha256').update(key).digest('base64url')}`;
}
