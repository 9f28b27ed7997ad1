import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { until } from './until.ts';

/** `siglip-hd serve` in a process of its own, on given ports of the loopback interface. */
export class ServiceProcess {
  readonly #args: readonly string[];
  readonly #readyUrl: string;
  readonly #logFile: string | undefined;
  #child: ChildProcess | undefined;

  /** `logFile` gets a line of JSON for each request; without it warnings go to the test's own output. */
  constructor(
    args: readonly string[],
    ports: { readonly http: number; readonly grpc: number },
    logFile?: string,
  ) {
    this.#logFile = logFile;
    const listening = ['--host=127.0.0.1', `--http-port=${ports.http}`, `--grpc-port=${ports.grpc}`];
    const logging = logFile === undefined ? ['--log-level=warn'] : ['--log-level=info', '--log-format=json'];
    this.#args = ['bin/siglip-hd.cjs', 'serve', ...listening, ...logging, ...args];
    this.#readyUrl = `http://127.0.0.1:${ports.http}/readyz`;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const log = this.#logFile === undefined ? undefined : openSync(this.#logFile, 'a');
    this.#child = spawn(process.execPath, this.#args, {
      stdio: ['ignore', log ?? 'inherit', log ?? 'inherit'],
    });
    if (log !== undefined) closeSync(log);
    const isReady = async () =>
      await fetch(this.#readyUrl).then(
        ({ ok }) => ok,
        () => false,
      );
    const child = this.#child;
    const isStarted = async () => {
      if (child.exitCode !== null) throw new Error(`the service exited with ${child.exitCode}`);
      return await isReady();
    };
    await until(isStarted, 120_000);
  }

  /** Sends SIGTERM and returns the exit status. */
  async stop(): Promise<number | null> {
    const child = this.#child!;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const [exitCode] = (await exited) as [number | null];
    return exitCode;
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }
}
