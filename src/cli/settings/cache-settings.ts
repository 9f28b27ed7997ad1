import { readRedisUrl } from './readers.ts';
import type { Settings } from './setting.ts';

/** Settings of the cache of tokens. */
export const cacheSettings = {
  'cache-bytes': {
    type: 'bytes',
    min: 0,
    max: 2 ** 40,
    default: '256MiB',
    description:
      'Tokens to keep, in bytes, for later requests with the same image and options. The least recently used are ' +
      'dropped first; 0 keeps none.',
  },
  'share-cache': {
    type: 'boolean',
    description:
      'Lets tokens encoded for one API key answer requests with other keys. Their owners can then find out which images ' +
      'were sent with the first.',
  },
  'redis-url': {
    type: 'optional',
    placeholder: 'URL',
    read: readRedisUrl,
    description:
      'Redis that keeps tokens for several services, redis[s]://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]. If it is ' +
      'slow or down, only cache hits are lost.',
  },
  'redis-timeout-ms': {
    type: 'milliseconds',
    min: 1,
    max: 10_000,
    default: '50',
    description: 'How long a request waits for Redis. After a timeout Redis is not asked for one second.',
  },
  'redis-keep-ms': {
    type: 'milliseconds',
    min: 1000,
    max: 31_536_000_000,
    default: '86400000',
    description: 'How long Redis keeps tokens.',
  },
} as const satisfies Settings;
