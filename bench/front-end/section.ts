import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { importModel } from '../../src/model/import/import-model.ts';
import { LoadGenerator } from '../load/generator.ts';
import { howToGetPeer, peerVersions, startPeer } from '../processes/fastapi-peer.ts';
import { benchCache, repository } from '../processes/paths.ts';
import { type ServerProcess, startService } from '../processes/service-process.ts';
import { processCpu } from '../processes/thread-cpu.ts';
import type { Section } from '../report/section.ts';
import { median } from '../report/statistics.ts';
import { type Picture, pictures } from './pictures.ts';

const rounds = 5;
const settlingRequests = 3000;
const sides = ['service', 'peer'] as const;

interface Case {
  readonly picture: Picture;
  readonly clients: number;
  /** Of one round; enough for half a second or more. */
  readonly requests: number;
}

/** One round of one side. CPU is of one request. */
interface Round {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mainMs: number;
  readonly allMs: number;
}

/** The service beside FastAPI on a model of 0.3 ms a view, where all that a request costs is what is around the model. */
export const frontEnd: Section = {
  title: 'Front end: all but the model, beside FastAPI, Pillow and onnxruntime',
  async run(progress) {
    if (process.platform !== 'linux')
      return { tables: [], verdicts: [], notes: [], skipped: "It reads Linux's schedstat." };
    const versions = peerVersions();
    if (versions === undefined) return { tables: [], verdicts: [], notes: [], skipped: howToGetPeer };
    const folder = await fastModel();
    const { web, camera, page } = await pictures();
    const cases: readonly Case[] = [
      { picture: web, clients: 1, requests: 200 },
      { picture: web, clients: 8, requests: 400 },
      { picture: web, clients: 32, requests: 600 },
      { picture: camera, clients: 1, requests: 6 },
      { picture: camera, clients: 8, requests: 16 },
      { picture: page, clients: 1, requests: 20 },
      { picture: page, clients: 8, requests: 40 },
    ];
    const load = new LoadGenerator();
    const servers: ServerProcess[] = [];
    try {
      servers.push(await startService([`--model=${folder}`, '--threads=1', '--cache-bytes=0']));
      servers.push(await startPeer(folder, 1));
      const [service, peer] = servers as [ServerProcess, ServerProcess];
      const measured = cases.map(() => ({ service: [] as Round[], peer: [] as Round[] }));
      for (const side of sides) await settle(load, { service, peer }[side], web);
      for (let round = 1; round <= rounds; round++) {
        for (const [index, one] of cases.entries()) {
          for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
            const result = await measure(load, { service, peer }[side], one);
            measured[index]![side].push(result);
          }
        }
        progress(`round ${round} of ${rounds}`);
      }
      return report(cases, measured, versions);
    } finally {
      await Promise.all([load.close(), ...servers.map((server) => server.close())]);
    }
  },
};

/** Until the optimising compiler has seen what is called, as in a server that has run for a while. */
async function settle(load: LoadGenerator, server: ServerProcess, picture: Picture): Promise<void> {
  const target = { transport: 'http', url: `${server.url}/encode`, body: picture.bytes } as const;
  await load.closedLoop(target, 8, { kind: 'requests', requests: settlingRequests });
}

async function measure(load: LoadGenerator, server: ServerProcess, one: Case): Promise<Round> {
  const target = { transport: 'http', url: `${server.url}/encode`, body: one.picture.bytes } as const;
  await load.closedLoop(target, one.clients, { kind: 'requests', requests: one.clients });
  const before = await processCpu(server.pid);
  const { answers, perSecond, latency } = await load.closedLoop(target, one.clients, {
    kind: 'requests',
    requests: one.requests,
  });
  const after = await processCpu(server.pid);
  return {
    perSecond,
    p50Ms: latency.p50Ms,
    p99Ms: latency.p99Ms,
    mainMs: (after.mainMs - before.mainMs) / answers,
    allMs: (after.allMs - before.allMs) / answers,
  };
}

type Measured = Readonly<Record<(typeof sides)[number], readonly Round[]>>;

function report(cases: readonly Case[], measured: readonly Measured[], versions: string) {
  const of = (index: number, side: keyof Measured, figure: (round: Round) => number) =>
    median(measured[index]![side].map(figure));
  const ratios = (index: number, figure: (round: Round) => number) =>
    measured[index]!.service.map((round, at) => figure(round) / figure(measured[index]!.peer[at]!));
  const cpuMs = ({ allMs }: Round) => allMs;
  const label = ({ picture, clients }: Case) => [picture.name, clients];
  const verdict = (
    index: number,
    what: string,
    figure: keyof Round,
    limit: 'at least' | 'at most',
    bar: number,
  ) => ({
    what: `${what} at ${cases[index]!.clients} clients, of FastAPI's`,
    value: median(ratios(index, (round) => round[figure])),
    limit,
    bar,
  });
  return {
    tables: [
      {
        title: `Answers; medians of ${rounds} rounds, and the ratio's least and greatest`,
        columns: [
          { title: 'picture' },
          { title: 'clients' },
          { title: 'service req/s', digits: 1 },
          { title: 'FastAPI req/s', digits: 1 },
          { title: 'ratio', digits: 2 },
          { title: 'from', digits: 2 },
          { title: 'to', digits: 2 },
          { title: 'service p50 ms', digits: 1 },
          { title: 'FastAPI p50 ms', digits: 1 },
          { title: 'service p99 ms', digits: 1 },
          { title: 'FastAPI p99 ms', digits: 1 },
        ],
        rows: cases.map((one, index) => {
          const ratio = ratios(index, ({ perSecond }) => perSecond);
          return [
            ...label(one),
            of(index, 'service', ({ perSecond }) => perSecond),
            of(index, 'peer', ({ perSecond }) => perSecond),
            median(ratio),
            Math.min(...ratio),
            Math.max(...ratio),
            of(index, 'service', ({ p50Ms }) => p50Ms),
            of(index, 'peer', ({ p50Ms }) => p50Ms),
            of(index, 'service', ({ p99Ms }) => p99Ms),
            of(index, 'peer', ({ p99Ms }) => p99Ms),
          ];
        }),
      },
      {
        title: 'CPU of one request, ms',
        columns: [
          { title: 'picture' },
          { title: 'clients' },
          { title: 'service, main thread', digits: 2 },
          { title: 'service, other threads', digits: 2 },
          { title: 'service', digits: 2 },
          { title: 'FastAPI', digits: 2 },
          { title: 'ratio', digits: 2 },
        ],
        rows: cases.map((one, index) => [
          ...label(one),
          of(index, 'service', ({ mainMs }) => mainMs),
          of(index, 'service', ({ mainMs, allMs }) => allMs - mainMs),
          of(index, 'service', cpuMs),
          of(index, 'peer', cpuMs),
          median(ratios(index, cpuMs)),
        ]),
      },
    ],
    verdicts: [
      verdict(0, 'requests a second', 'perSecond', 'at least', 1),
      verdict(1, 'requests a second', 'perSecond', 'at least', 1.3),
      verdict(2, 'requests a second', 'perSecond', 'at least', 1.3),
      verdict(0, 'p50', 'p50Ms', 'at most', 1),
      verdict(2, 'p99', 'p99Ms', 'at most', 0.7),
      {
        what: "CPU of a request at 1 client, of FastAPI's",
        value: median(ratios(0, cpuMs)),
        limit: 'at most' as const,
        bar: 0.8,
      },
      {
        what: 'main-thread CPU of a small answer, ms',
        value: of(0, 'service', ({ mainMs }) => mainMs),
        limit: 'at most' as const,
        bar: 0.8,
      },
    ],
    notes: [
      `The model is test/fixtures/siglip-tiny at 64 px, some 0.3 ms a view, one engine thread; answers are float16 .npy, and nothing is cached or joined. The peer: ${versions}.`,
    ],
  };
}

/** The folder of a model that takes some 0.3 ms a view. */
async function fastModel(): Promise<string> {
  const folder = join(benchCache, 'tiny-64');
  const isThere = await access(join(folder, 'model.json')).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    const source = join(repository, 'test/fixtures/siglip-tiny');
    await importModel({ source, out: folder, imageSize: 64, precision: 'fp32', force: true });
  }
  return folder;
}
