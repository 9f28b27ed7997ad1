import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createClient } from '@redis/client';
import { RedisCache } from '../../../src/encoding/cache/redis-cache.ts';
import type { EncodeRequest } from '../../../src/encoding/request.ts';
import { gatedEncoder } from '../../support/gated-encoder.ts';
import { until } from '../../support/until.ts';
import { hasRedis, RedisServer } from '../../support/redis-server.ts';

const image = { size: { width: 8, height: 8 }, parts: [Uint8Array.of(1, 2, 3)] };
const logger = { info() {}, warn() {} };

const skip = !hasRedis && process.env.REQUIRE_EXTERNAL !== '1' && 'redis-server is not installed';

/** A request for the same pixels each time. */
const request = (level = 7): EncodeRequest => ({
  images: [{ kind: 'raster', raster: { width: 8, height: 8, data: new Uint8Array(192).fill(level) } }],
  stacked: false,
  recipe: { recipe: 'encode' },
  options: { dtype: 'float16', exif: 'apply' },
  signal: new AbortController().signal,
});

describe('a cache in redis', { skip }, () => {
  let redis: RedisServer;
  let cache: RedisCache;
  before(async () => {
    redis = await RedisServer.start();
    cache = await connected();
  });
  after(async () => {
    await cache.close();
    await redis.stop();
  });
  async function connected(timeoutMs = 2000): Promise<RedisCache> {
    let isReady = false;
    const info = (): void => {
      isReady = true;
    };
    const made = new RedisCache({ url: redis.url, timeoutMs, keepMs: 60_000, logger: { ...logger, info } });
    await until(() => isReady);
    return made;
  }

  async function stored(key: string, by = cache): Promise<unknown> {
    by.set(key, image);
    await until(async () => (await by.get(key)) !== undefined);
    return await by.get(key);
  }

  test('finds what another service stored, until it expires', async () => {
    assert.equal(await cache.get('a'), undefined);
    assert.deepEqual(await stored('a'), image);
    const other = await connected();
    assert.deepEqual(await other.get('a'), image);
    await other.close();
    const client = await createClient({ url: redis.url }).connect();
    const [key] = await client.keys('siglip-hd:*');
    const left = await client.pTTL(key!);
    assert.ok(left > 0 && left <= 60_000, String(left));
    client.destroy();
  });

  test('a damaged value is a miss', async () => {
    await stored('b');
    const client = await createClient({ url: redis.url }).connect();
    for (const key of await client.keys('*')) await client.setRange(key, 100, '\u0007');
    client.destroy();
    assert.equal(await cache.get('b'), undefined);
  });

  test('drops values while too many bytes are on their way to a slow Redis', async () => {
    const large = { ...image, parts: [new Uint8Array(20 * 2 ** 20)] };
    redis.pause();
    for (const key of ['e', 'f', 'g', 'h']) cache.set(key, large);
    redis.resume();
    await until(async () => (await cache.get('g')) !== undefined);
    assert.equal(await cache.get('h'), undefined);
  });

  test('a slow look-up is a miss after its time limit, and the next ones at once', async () => {
    const hasty = await connected(30);
    await stored('c', hasty);
    redis.pause();
    assert.equal(await hasty.get('c'), undefined);
    assert.equal(await hasty.get('c'), undefined);
    hasty.set('d', image);
    redis.resume();
    await hasty.close();
  });

  test('concurrent requests for one key cost Redis one look-up', async () => {
    const client = await createClient({ url: redis.url }).connect();
    const gets = async (): Promise<number> => {
      const stats = await client.info('commandstats');
      return Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };
    const asked = await gets();
    await Promise.all(Array.from({ length: 50 }, () => cache.get('asked at once')));
    assert.equal((await gets()) - asked, 1);
    await cache.get('asked at once');
    assert.equal((await gets()) - asked, 2);
    client.destroy();
  });

  test('a service answers with what another encoded, and encodes by itself when Redis is gone', async (t) => {
    const [first, second] = [
      gatedEncoder({ cacheBytes: 2 ** 20, remoteCache: cache }),
      gatedEncoder({ cacheBytes: 2 ** 20, remoteCache: cache }),
    ];
    t.after(async () => {
      await Promise.all([first.close(), second.close()]);
    });
    first.engine.openGate();
    const client = await createClient({ url: redis.url }).connect();
    await client.flushAll();
    const { tensor } = await first.encoder.encode(request());
    // The value is written after the answer.
    await until(async () => (await client.dbSize()) > 0);
    client.destroy();
    const answer = await second.encoder.encode(request());
    assert.deepEqual([answer.sources, answer.tensor], [['hit'], tensor]);
    assert.equal(second.engine.batches.length, 0);

    second.engine.openGate();
    await redis.stop();
    const alone = await second.encoder.encode(request(9));
    assert.deepEqual(alone.sources, ['miss']);
    await redis.restart();
  });
});
