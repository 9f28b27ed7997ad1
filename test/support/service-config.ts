import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceConfig } from '../../src/service.ts';

/** A small service on free ports of the loopback interface. */
export function serviceConfig(overrides: Partial<ServiceConfig> = {}): ServiceConfig {
  return {
    host: '127.0.0.1',
    httpPort: 0,
    grpcPort: 0,
    models: [],
    cacheDir: join(tmpdir(), 'siglip-hd-test-cache'),
    device: { kind: 'cpu' },
    engines: 1,
    threads: 1,
    maxBatch: 0,
    warmUpMs: 200,
    engineTimeoutMs: 60_000,
    viewThreads: 1,
    decodeConcurrency: 4,
    maxPixels: 100_000_000,
    maxRasterBytes: 2 ** 30,
    maxQueuedViews: 512,
    maxAnswerBytes: 256 * 2 ** 20,
    maxBodyBytes: 20 * 2 ** 20,
    maxInflightBytes: 2 ** 30,
    maxImages: 16,
    cacheBytes: 0,
    shareCache: false,
    maxUnreadBytes: 2 ** 30,
    requestTimeoutMs: 60_000,
    ...overrides,
  };
}
