import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../processes/free-port.ts';
import { benchCache } from '../processes/paths.ts';
import { type ServiceProcess, startServer } from '../processes/service-process.ts';
import { type EngineFault, faultFile, type StubTimes, writeStubModel } from './stub-model.ts';

export interface StubOptions extends StubTimes {
  /** The batch that is run where so many views wait. */
  readonly batch: number;
  /** Views that the service admits at one time. */
  readonly queued: number;
  /** Of `siglip-hd serve`, beside those that follow from the above. */
  readonly flags?: readonly string[];
  readonly logLevel?: 'info' | 'warn';
}

/** The service in a process of its own, whose engine takes a known time. */
export interface StubProcess extends ServiceProcess {
  /** Views that the engine has run since it was warm. */
  viewsRun(): Promise<number>;
  /** Has the next engine that runs a batch fail. */
  breakEngine(fault: EngineFault): Promise<void>;
}

const stub = fileURLToPath(new URL('./stub-main.js', import.meta.url));

export async function startStub({
  batch,
  queued,
  flags = [],
  logLevel = 'warn',
  ...times
}: StubOptions): Promise<StubProcess> {
  const folder = join(benchCache, `stub-${process.pid}-${randomBytes(4).toString('hex')}`);
  await writeStubModel(folder, times);
  try {
    const [httpPort, grpcPort] = [await freePort(), await freePort()];
    const server = await startServer(
      process.execPath,
      [
        stub,
        '--host=127.0.0.1',
        `--http-port=${httpPort}`,
        `--grpc-port=${grpcPort}`,
        `--model=stub=${folder}`,
        `--max-batch=${batch}`,
        `--max-queued-views=${queued}`,
        `--max-images=${Math.min(16, queued)}`,
        '--warm-up-ms=0',
        `--log-level=${logLevel}`,
        '--log-format=json',
        ...flags,
      ],
      { port: httpPort, readyPath: '/readyz', env: { UV_THREADPOOL_SIZE: '6', MALLOC_ARENA_MAX: '2' } },
    );
    return {
      ...server,
      grpcAddress: `127.0.0.1:${grpcPort}`,
      viewsRun: () => viewsRun(server.url),
      breakEngine: (fault) => writeFile(join(folder, faultFile(fault)), ''),
      async close() {
        await server.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** What the service's own metrics say that its engines have run. */
export async function viewsRun(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const sums = text.matchAll(/^siglip_hd_batch_views_sum(?:\{[^}]*\})? ([\d.e+]+)$/gm);
  return [...sums].reduce((sum, [, views]) => sum + Number(views), 0);
}
