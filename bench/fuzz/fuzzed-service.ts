import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { importModel } from '../../src/model/import/import-model.ts';
import { benchCache, repository } from '../processes/paths.ts';
import { type ServiceProcess, startService } from '../processes/service-process.ts';

/** Preloaded by the container image. Without it, glibc's allocator keeps much of what decoding has freed. */
const jemalloc = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/libjemalloc.so.2`;
const allocator: { readonly name: string; readonly env: Readonly<Record<string, string>> } = existsSync(
  jemalloc,
)
  ? { name: 'jemalloc', env: { LD_PRELOAD: jemalloc } }
  : { name: "the C library's, with two arenas", env: { MALLOC_ARENA_MAX: '2' } };
/** The name of the service's memory allocator. */
export const allocatorName = allocator.name;

/** Small views: the fuzzer does not test the arithmetic. */
const imageSize = 128;
/** How long the service may take to drain, in milliseconds. It exits with 1 if that does not suffice. */
const graceMs = 2000;

/** Starts an unmodified `siglip-hd serve` on a model that takes a millisecond a view. `close` also deletes the model. */
export async function startFuzzedService(): Promise<ServiceProcess> {
  const folder = join(benchCache, `fuzz-${process.pid}-${randomBytes(4).toString('hex')}`);
  const source = join(repository, 'test/fixtures/siglip-tiny');
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const asked = { features: ['last_hidden_state'], precision: 'fp32', imageSize } as const;
    await importModel({ source, out: folder, ...asked });
    const service = await startService(
      [
        `--model=tiny=${folder}`,
        '--max-body-bytes=1MiB',
        '--max-pixels=20000000',
        '--warm-up-ms=0',
        // Small, so that it fills early and its growth is not mistaken for a leak.
        '--cache-bytes=4MiB',
        // All requests have been answered when it is stopped.
        `--drain-grace-ms=${graceMs}`,
        '--log-level=warn',
      ],
      allocator.env,
    );
    return {
      ...service,
      async close() {
        // A process that a signal ended cannot be closed.
        if (service.process.signalCode === null) await service.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
