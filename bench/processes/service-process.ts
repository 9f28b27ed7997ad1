import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { encodeRequestMessage } from '../load/messages.ts';
import type { Target } from '../load/target.ts';
import { freePort } from './free-port.ts';
import { benchCache, repository, rocketFile } from './paths.ts';

const startLimitMs = 60_000;

/** A server of any kind in a process of its own, ready for requests. */
export interface ServerProcess {
  readonly pid: number;
  readonly process: ChildProcess;
  /** Everything it says, until it is closed. */
  readonly logFile: string;
  readonly url: string;
  close(): Promise<void>;
}

/** The service as a user runs it: `siglip-hd serve`. */
export interface ServiceProcess extends ServerProcess {
  readonly grpcAddress: string;
}

/** Starts the service with these flags, and resolves when it is warm. Rejects with its log when it ends before. */
export async function startService(
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  const [httpPort, grpcPort] = [await freePort(), await freePort()];
  const server = await startServer(
    process.execPath,
    [
      join(repository, 'bin/siglip-hd.cjs'),
      'serve',
      '--host=127.0.0.1',
      `--http-port=${httpPort}`,
      `--grpc-port=${grpcPort}`,
      '--log-format=json',
      ...flags,
    ],
    { port: httpPort, readyPath: '/readyz', env },
  );
  return { ...server, grpcAddress: `127.0.0.1:${grpcPort}` };
}

/** Starts a server and asks `readyPath` until it answers 200. */
export async function startServer(
  command: string,
  args: readonly string[],
  { port, readyPath, env = {} }: { port: number; readyPath: string; env?: Readonly<Record<string, string>> },
): Promise<ServerProcess> {
  // To a file: a pipe would wake this process for every line, on a core that the server may want.
  const logFile = join(benchCache, `${basename(command)}-${port}.log`);
  await mkdir(benchCache, { recursive: true });
  const log = await open(logFile, 'w');
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', log.fd, log.fd] });
  await log.close();
  const failed = once(child, 'error').then(([error]) => String(error));
  const url = `http://127.0.0.1:${port}`;
  const limitMs = performance.now() + startLimitMs;
  while (!(await isReady(url + readyPath))) {
    const ended = await Promise.race([delay(50), failed]);
    if (child.exitCode !== null || ended !== undefined || performance.now() > limitMs) {
      child.kill('SIGKILL');
      const reason = ended ?? (await readFile(logFile, 'utf8'));
      throw new Error(`${command} ${args.join(' ')} did not become ready:\n${reason}`);
    }
  }
  return {
    pid: child.pid!,
    process: child,
    logFile,
    url,
    async close() {
      await end(child);
      await rm(logFile, { force: true });
    },
  };
}

/** rocket.jpg over HTTP: raw body, and the answer as npy of float16. */
export async function rocketOverHttp(url: string): Promise<Target> {
  return { transport: 'http', url, body: await readFile(rocketFile) };
}

/** rocket.jpg over gRPC. */
export async function rocketOverGrpc(address: string): Promise<Target> {
  const message = encodeRequestMessage(await readFile(rocketFile));
  return { transport: 'grpc', address, message };
}

async function isReady(url: string): Promise<boolean> {
  return await fetch(url).then(
    (response) => response.ok,
    () => false,
  );
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  // Not SIGTERM, after which the service accepts for a while.
  child.kill('SIGINT');
  await exited;
}
