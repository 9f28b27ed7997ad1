import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { importModel } from '../../src/model/import/import-model.ts';
import { benchCache, repository } from '../processes/paths.ts';
import { freePorts, type ServiceProcess, startServer } from '../processes/service-process.ts';

/** Pictures are up to 20 Mpixel, and views of 128 pixels: what is looked at here is not the arithmetic. */
const imageSize = 128;
/** How long the service may take to end, in milliseconds, before its exit code says that it could not. */
const graceMs = 2000;

/** `siglip-hd serve` in a process of its own, as it is, with a model that takes a millisecond a view. */
export async function startFuzzedService(): Promise<ServiceProcess> {
  const folder = join(benchCache, `fuzz-${process.pid}-${randomBytes(4).toString('hex')}`);
  const source = join(repository, 'test/fixtures/siglip-tiny');
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const asked = { features: 'last_hidden_state', precision: 'fp32', imageSize } as const;
    await importModel({ source, out: folder, ...asked });
    const [httpPort, grpcPort] = await freePorts(2);
    const server = await startServer(
      process.execPath,
      [
        join(repository, 'bin/siglip-hd.cjs'),
        'serve',
        '--host=127.0.0.1',
        `--http-port=${httpPort}`,
        `--grpc-port=${grpcPort}`,
        `--model=tiny=${folder}`,
        '--max-body-bytes=1MiB',
        '--max-pixels=20000000',
        '--warm-up-ms=0',
        // Full soon, so that its filling is not taken for a leak.
        '--cache-bytes=4MiB',
        // Everything is answered when it is told to end.
        `--drain-grace-ms=${graceMs}`,
        '--log-level=warn',
        '--log-format=json',
      ],
      { port: httpPort!, readyPath: '/readyz', env: { MALLOC_ARENA_MAX: '2' } },
    );
    return {
      ...server,
      grpcAddress: `127.0.0.1:${grpcPort}`,
      async close() {
        // What a signal has ended has nothing to end.
        if (server.process.signalCode === null) await server.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
