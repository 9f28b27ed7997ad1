import { createHash } from 'node:crypto';
import { createClient, RESP_TYPES } from '@redis/client';
import type { Logger } from 'pino';
import { byteLengthOf } from '../../tokens/tensor.ts';
import type { ImageTokens } from '../encoded-image.ts';
import type { RemoteCache } from './remote-cache.ts';
import { readStoredImage, storedImage } from './stored-image.ts';

export interface RedisCacheOptions {
  /** redis[s]://[[username][:password]@]host[:port][/database] */
  readonly url: string;
  /** How long a request waits for Redis. */
  readonly timeoutMs: number;
  /** How long Redis keeps a value. */
  readonly keepMs: number;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

/** Larger values are not stored: copying and hashing them would cost more than they save. */
const largestBytes = 2 ** 25;

/** The most bytes on their way to Redis at one time. Beyond them, values are not stored. */
const mostWriteBytes = 2 ** 26;

/** How long Redis is not used after it was slow or gone. */
const pauseMs = 1000;

/**
 * Tokens in a Redis that several services share. After a look-up that fails or takes too long, all look-ups are misses
 * for a second.
 */
export class RedisCache implements RemoteCache {
  readonly #client;
  readonly #options: RedisCacheOptions;
  /** Look-ups under way, by key: a thousand requests for one image cost one look-up. */
  readonly #lookUps = new Map<string, Promise<ImageTokens | undefined>>();
  #writeBytes = 0;
  #pausedUntil = 0;

  constructor(options: RedisCacheOptions) {
    const { url, timeoutMs, logger } = options;
    this.#options = options;
    this.#client = createClient({
      url,
      // A command that cannot be sent at once is a miss.
      disableOfflineQueue: true,
      socket: { connectTimeout: Math.max(1000, timeoutMs), reconnectStrategy: () => pauseMs },
    }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    let isReported = false;
    this.#client.on('error', (error: Error) => {
      if (!isReported) logger.warn({ err: error }, 'redis is unreachable; the service continues without it');
      isReported = true;
    });
    this.#client.on('ready', () => {
      isReported = false;
      logger.info('redis is connected');
    });
    // The client reconnects by itself.
    this.#client.connect().catch(() => undefined);
  }

  async get(key: string): Promise<ImageTokens | undefined> {
    const underWay = this.#lookUps.get(key);
    if (underWay !== undefined) return await underWay;
    const lookUp = this.#lookUp(key).finally(() => this.#lookUps.delete(key));
    this.#lookUps.set(key, lookUp);
    return await lookUp;
  }

  set(key: string, image: ImageTokens): void {
    const bytes = byteLengthOf(image.parts);
    if (!this.#isUsable() || bytes > largestBytes || this.#writeBytes + bytes > mostWriteBytes) return;
    this.#writeBytes += bytes;
    void this.#write(key, image).finally(() => {
      this.#writeBytes -= bytes;
    });
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  async #lookUp(key: string): Promise<ImageTokens | undefined> {
    if (!this.#isUsable()) return undefined;
    const bytes = await this.#inTime(this.#client.get(keyOf(key)));
    return bytes === undefined || bytes === null ? undefined : await readStoredImage(bytes);
  }

  async #write(key: string, image: ImageTokens): Promise<void> {
    try {
      const expiration = { type: 'PX', value: this.#options.keepMs } as const;
      await this.#client.set(keyOf(key), await storedImage(image), { expiration });
    } catch {
      // A lost value is a miss for the next request. The client's error event logs a broken connection.
      this.#pause();
    }
  }

  #isUsable(): boolean {
    return this.#client.isReady && performance.now() >= this.#pausedUntil;
  }

  #pause(): void {
    this.#pausedUntil = performance.now() + pauseMs;
  }

  /** The answer if it comes in time. Otherwise undefined, and Redis is not used for a while. */
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

/** A short key that reveals nothing of the request. */
function keyOf(key: string): string {
  return `siglip-hd:${createHash('sha256').update(key).digest('base64url')}`;
}
