// Tries remote engines with a real server; test/trials/remote/README.md says how.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { freePort } from '../../../bench/processes/free-port.ts';
import { exportRepository } from '../../../src/model/triton/export-repository.ts';
import { projectorSuffix } from '../../../src/model/signature.ts';
import { loadModelFolder, modelFiles } from '../../../src/model/load-folder.ts';
import { readGraphPorts } from '../../../src/inference/graph-ports.ts';
import { parseEndpoint } from '../../../src/inference/remote/endpoint.ts';
import { type Service, startService } from '../../../src/service.ts';
import {
  expectedTokens,
  type GoldenCase,
  goldenCases,
  goldenOptions,
  imageBytes,
  valuesOf,
  worstError,
} from '../../support/golden.ts';
import { serviceConfig } from '../../support/service-config.ts';
import { type FixtureOptions, importFixture } from '../../support/tiny-models.ts';
import { importVlm, vlmCases, vlmImage } from '../../support/vlm-golden.ts';
import { until } from '../../support/until.ts';

const here = resolve('test/trials/remote');
const [kind = 'triton', python = 'python3', large] = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), 'trial-'));
const repository = join(scratch, 'exported');
const folders = new Map<string, string>();
const quiet = pino({ level: process.env['TRIAL_LOG'] ?? 'silent' });
const threads = Number(process.env['ENGINE_THREADS'] ?? 1);

/** A server of the repository's models, on a port that it keeps. */
class Trial {
  readonly #port: number;
  #child: ChildProcess | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  start(names: readonly string[]): void {
    const environment = { ...process.env, EXPORTED: repository, TRIAL_FOLDER: here, PYTHONPATH: here };
    const { command, args, env } = launch(names, this.#port);
    const stdio = process.env['TRIAL_LOG'] === undefined ? 'ignore' : 'inherit';
    this.#child = spawn(command, args, { stdio, detached: true, env: { ...environment, ...env } });
  }

  /** The process group of the server. */
  get group(): number | undefined {
    return this.#child?.pid;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    // With the processes of its models.
    process.kill(-child.pid, 'SIGKILL');
    await exited;
  }
}

function launch(names: readonly string[], port: number) {
  const environment = { HTTP_PORT: String(port + 1), GRPC_PORT: String(port) };
  switch (kind) {
    case 'triton': {
      const server = process.env['TRITON'] ?? '';
      const args = [
        `--model-repository=${asPython(names)}`,
        `--backend-directory=${join(server, 'backends')}`,
        '--disable-auto-complete-config',
        `--grpc-port=${port}`,
        '--allow-http=false',
        '--allow-metrics=false',
      ];
      const env = { PATH: `${join(python, '..')}:${process.env['PATH'] ?? ''}` };
      return { command: join(server, 'bin/tritonserver'), args, env };
    }
    case 'mlserver':
      return { command: join(python, '../mlserver'), args: ['start', asMlServer(names, port)], env: {} };
    case 'kserve':
      return { command: python, args: [join(here, 'kserve_server.py'), ...served(names)], env: environment };
    default:
      throw new Error(`there is no trial of ${kind}: triton, mlserver or kserve`);
  }
}

/** Those of the exported models that are one graph: other servers have no ensembles. */
function served(names: readonly string[]): string[] {
  return readdirSync(repository).filter((name) =>
    names.some((model) => name === model || name === `${model}${projectorSuffix}`),
  );
}

/** The repository with Python's backend in place of onnxruntime's. */
function asPython(names: readonly string[]): string {
  const out = join(scratch, 'python');
  rmSync(out, { recursive: true, force: true });
  for (const name of readdirSync(repository).filter((each) =>
    names.some((model) => each.startsWith(model)),
  )) {
    const config = readFileSync(join(repository, name, 'config.pbtxt'), 'utf8');
    mkdirSync(join(out, name, '1'), { recursive: true });
    const converted = config
      .replace('backend: "onnxruntime"', 'backend: "python"')
      .replace(/default_model_filename.*\n/, 'instance_group [ { kind: KIND_CPU } ]\n');
    writeFileSync(join(out, name, 'config.pbtxt'), converted);
    cpSync(join(here, 'triton_model.py'), join(out, name, '1/model.py'));
  }
  return out;
}

function asMlServer(names: readonly string[], port: number): string {
  const out = join(scratch, 'mlserver');
  mkdirSync(out, { recursive: true });
  const settings = {
    grpc_port: port,
    http_port: port + 1,
    metrics_port: port + 2,
    grpc_max_message_length: 2 ** 30,
    parallel_workers: 0,
  };
  writeFileSync(join(out, 'settings.json'), JSON.stringify(settings));
  for (const name of served(names)) {
    mkdirSync(join(out, name), { recursive: true });
    const model = { name, implementation: 'mlserver_model.Model' };
    writeFileSync(join(out, name, 'model-settings.json'), JSON.stringify(model));
  }
  return out;
}

async function addModel(name: string, folder: string): Promise<void> {
  folders.set(name, folder);
  const model = await loadModelFolder(folder, name);
  const options = {
    out: repository,
    name,
    maxBatch: 16,
    tensorrt: false,
    force: false,
    readPorts: readGraphPorts,
  };
  await exportRepository(model, await modelFiles(folder), options);
}

async function serve(names: readonly string[], ports: readonly number[] = []): Promise<Service> {
  const models = names.map((name) => ({ name, folder: folders.get(name)! }));
  const engines = ports.flatMap((port) =>
    names.map((model) => ({ model, endpoint: parseEndpoint(`grpc://127.0.0.1:${port}`)! })),
  );
  const remote = { engines, access: {}, parallel: 1 };
  const config = serviceConfig({ models, threads, viewThreads: 2, warmUpMs: 3000, remote });
  return await startService(config, quiet, () => {});
}

async function ask(service: Service, route: string, query: object, body: Buffer): Promise<Response> {
  const search = new URLSearchParams({ format: 'raw', ...query }).toString();
  return await fetch(`http://127.0.0.1:${service.httpPort}/v1/${route}?${search}`, { method: 'POST', body });
}

async function tokensOf(...asked: Parameters<typeof ask>): Promise<Uint8Array> {
  const response = await ask(...asked);
  if (response.status !== 200) throw new Error(`${JSON.stringify(asked[2])}: ${await response.text()}`);
  return new Uint8Array(await response.arrayBuffer());
}

const routes = { Encode: 'encode', TeacherEncode: 'teacher-encode', AnyResEncode: 'anyres-encode' } as const;

/** Models of the golden cases. */
const imports: Readonly<Record<string, readonly [checkpoint: string, options?: FixtureOptions]>> = {
  'siglip-tiny': ['siglip-tiny'],
  'siglip-tiny-27': ['siglip-tiny-27'],
  'siglip-tiny-pre_norm': ['siglip-tiny', { features: ['pre_norm'] }],
  'siglip-tiny-penultimate': ['siglip-tiny', { features: ['penultimate'] }],
  'siglip-tiny-1024': ['siglip-tiny', { imageSize: 1024 }],
  'clip-tiny': ['clip-tiny'],
  'clip-tiny-penultimate': ['clip-tiny', { features: ['penultimate'] }],
  'clip-tiny-518': ['clip-tiny', { imageSize: 518, resize: 'squash' }],
};

function modelOf({ model = 'siglip-tiny', features = 'last_hidden_state' }: GoldenCase): string {
  if (features !== 'last_hidden_state') return `${model}-${features}`;
  return model.includes('image size 518') ? 'clip-tiny-518' : model;
}

/** Every golden case of the served models, from the remote engine and from a local one. */
async function compareGolden(remote: Service, local: Service): Promise<void> {
  let worst = 0;
  let same = 0;
  let cases = 0;
  for (const golden of goldenCases) {
    const model = modelOf(golden);
    for (const dtype of ['float16', 'float32'] as const) {
      const exif = golden.exif === undefined ? {} : { exif: golden.exif };
      const query = { model, dtype, ...exif, ...goldenOptions(golden) };
      const [far, near] = await Promise.all(
        [remote, local].map(
          async (service) => await tokensOf(service, routes[golden.rpc], query, imageBytes(golden.image)),
        ),
      );
      cases++;
      worst = Math.max(worst, worstError(valuesOf(far!, dtype), expectedTokens(golden), dtype));
      if (Buffer.compare(far!, near!) === 0) same++;
    }
  }
  console.log(
    `golden: ${cases} answers, the worst at ${worst.toFixed(3)} of the tolerance, ${same} equal to the local ones bit for bit`,
  );
  if (cases === 0 || !(worst <= 1)) process.exitCode = 1;
}

interface Load {
  answered: number;
  readonly failures: Record<string, number>;
  readonly slowestMs: number;
  readonly perSecond: number;
  /** Answers in each second. */
  readonly seconds: number[];
}

async function load(service: Service, model: string, clients: number, lastsMs: number): Promise<Load> {
  const image = imageBytes('rocket.jpg');
  const failures: Record<string, number> = {};
  const seconds: number[] = [];
  let answered = 0;
  let slowestMs = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      while (performance.now() - start < lastsMs) {
        const sentAt = performance.now();
        // Bytes after a JPEG's end make it another picture, which no other request's answer serves.
        const other = Buffer.concat([image, Buffer.from(`${client} ${sentAt}`)]);
        const response = await ask(service, 'encode', { model }, other);
        await response.arrayBuffer();
        slowestMs = Math.max(slowestMs, performance.now() - sentAt);
        if (response.status === 200) answered++;
        else failures[response.status] = (failures[response.status] ?? 0) + 1;
        const second = Math.floor((performance.now() - start) / 1000);
        seconds[second] = (seconds[second] ?? 0) + 1;
        if (response.status !== 200) await new Promise((again) => setTimeout(again, 200));
      }
    }),
  );
  const perSecond = (1000 * answered) / (performance.now() - start);
  return {
    answered,
    failures,
    slowestMs,
    perSecond,
    seconds: Array.from(seconds, (count: number | undefined) => count ?? 0),
  };
}

/** CPU seconds that this process, and the processes of a group, have used. */
function cpuSeconds(group?: number): { readonly own: number; readonly server: number } {
  const { user, system } = process.cpuUsage();
  let ticks = 0;
  for (const pid of group === undefined ? [] : readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
      if (Number(fields[2]) === group) ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It has ended.
    }
  }
  return { own: (user + system) / 1e6, server: ticks / 100 };
}

/** Views, batches and time of the engines of a service so far. */
async function batchesOf({ httpPort }: Service) {
  const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  const read = (name: string) => {
    const values = text.matchAll(new RegExp(`^siglip_hd_${name}(?:\\{[^}]*\\})? ([\\d.e+-]+)$`, 'gm'));
    return [...values].reduce((sum, [, value]) => sum + Number(value), 0);
  };
  return {
    views: read('batch_views_sum'),
    batches: read('batch_views_count'),
    busy: read('engine_busy_seconds_total'),
  };
}

/** Local and remote engine by turns, each with as many threads of ONNX Runtime. */
async function throughput(name: string, trial: Trial, port: number): Promise<void> {
  const rounds = Number(process.env['TRIAL_ROUNDS'] ?? 2);
  const lastsMs = 1000 * Number(process.env['TRIAL_SECONDS'] ?? 15);
  trial.start([name]);
  const sides = { local: await serve([name]), remote: await serve([name], [port]) };
  const rates = { local: [] as number[], remote: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const side of ['local', 'remote'] as const) {
      const service = sides[side];
      const [before, cpuBefore] = [await batchesOf(service), cpuSeconds(trial.group)];
      const { perSecond, answered, failures } = await load(service, name, 8, lastsMs);
      const [after, cpuAfter] = [await batchesOf(service), cpuSeconds(trial.group)];
      rates[side].push(perSecond);
      const views = after.views - before.views;
      const each = (seconds: number) => `${((1000 * seconds) / views).toFixed(0)} ms`;
      console.log(
        `${side} ${round}: ${perSecond.toFixed(2)} views/s, ${answered} answers, failures ${JSON.stringify(failures)}, ` +
          `batches of ${(views / (after.batches - before.batches)).toFixed(1)}, a view: engine ${each(after.busy - before.busy)}, ` +
          `CPU here ${each(cpuAfter.own - cpuBefore.own)}, there ${each(cpuAfter.server - cpuBefore.server)}`,
      );
    }
  }
  await Promise.all([sides.local.close(), sides.remote.close()]);
  await trial.kill();
  const ratios = rates.remote.map((rate, round) => rate / rates.local[round]!);
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  console.log(
    `throughput with ${threads} threads: local ${mean(rates.local).toFixed(2)} views/s, remote ${mean(rates.remote).toFixed(2)}, ` +
      `ratio ${(mean(rates.remote) / mean(rates.local)).toFixed(3)}, by rounds ${ratios.map((ratio) => ratio.toFixed(3)).join(', ')}`,
  );
}

async function restart(name: string, trial: Trial, port: number, dead: number): Promise<void> {
  const startedAt = performance.now();
  trial.start([name]);
  // One of the two is dead from the start.
  const remote = await serve([name], [dead, port]);
  console.log(
    `two servers, one dead: ready after ${Math.round(performance.now() - startedAt)} ms with the server's own start`,
  );
  const running = load(remote, name, 8, 20_000);
  await new Promise((later) => setTimeout(later, 5000));
  const killedAt = performance.now();
  await trial.kill();
  trial.start([name]);
  let back = 0;
  void (async () => {
    await until(
      async () => (await ask(remote, 'encode', { model: name }, imageBytes('rocket.jpg'))).status === 200,
      60_000,
    );
    back = performance.now() - killedAt;
  })();
  const { answered, failures, slowestMs, seconds } = await running;
  console.log(
    `killed under load: ${answered} answered, failures ${JSON.stringify(failures)}, slowest ${Math.round(slowestMs)} ms, ` +
      `first answer ${Math.round(back)} ms after the kill, answers by second ${seconds.join(' ')}`,
  );
  await remote.close();
  await trial.kill();
}

/** Every golden case of models with projectors: embeddings, of which some are projected after the assembly. */
async function compareEmbeddings(remote: Service, local: Service): Promise<void> {
  let same = 0;
  for (const golden of vlmCases) {
    const query = { model: golden.checkpoint, ...golden.request };
    const [far, near] = await Promise.all(
      [remote, local].map(
        async (service) => await tokensOf(service, routes[golden.rpc], query, vlmImage(golden)),
      ),
    );
    if (Buffer.compare(far!, near!) === 0) same++;
  }
  console.log(`embeddings: ${same} of ${vlmCases.length} answers equal to the local ones bit for bit`);
  if (same < vlmCases.length) process.exitCode = 1;
}

async function compareWith(
  names: readonly string[],
  trial: Trial,
  port: number,
  compare: (remote: Service, local: Service) => Promise<void>,
): Promise<void> {
  trial.start(names);
  const [remote, local] = await Promise.all([serve(names, [port]), serve(names)]);
  await compare(remote, local);
  await Promise.all([remote.close(), local.close()]);
  await trial.kill();
}

async function correctness(trial: Trial, port: number): Promise<void> {
  const names = Object.keys(imports);
  for (const [name, [checkpoint, options]] of Object.entries(imports)) {
    await addModel(name, await importFixture(scratch, checkpoint, options));
  }
  await compareWith(names, trial, port, compareGolden);
  const projected = [...new Set(vlmCases.map(({ checkpoint }) => checkpoint))];
  for (const name of projected) await addModel(name, await importVlm(join(scratch, 'vlm'), name));
  await compareWith(projected, trial, port, compareEmbeddings);
  await restart('siglip-tiny', trial, port, await freePort());
}

const port = await freePort();
const trial = new Trial(port);
try {
  if (large === undefined) await correctness(trial, port);
  else {
    await addModel('large', large);
    await throughput('large', trial, port);
  }
} finally {
  await trial.kill();
  rmSync(scratch, { recursive: true });
}
process.exit();
