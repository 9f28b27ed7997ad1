import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { importModel } from '../../src/model/import/import-model.ts';
import { LoadGenerator } from '../load/generator.ts';
import { type Settling, totalOf } from '../load/settling.ts';
import { howToGetPeer, peerVersions, startPeer } from '../processes/fastapi-peer.ts';
import { benchCache, repository } from '../processes/paths.ts';
import { type ServerProcess, startService } from '../processes/service-process.ts';
import { processCpu } from '../processes/thread-cpu.ts';
import type { Section, Verdict } from '../report/section.ts';
import { median } from '../report/statistics.ts';
import type { Table } from '../report/table.ts';
import { type Picture, pictures } from './pictures.ts';

const rounds = 5;
/**
 * V8 compiles the service for thousands of requests, half a minute of load: 10.1 ms of CPU each at first, 7.0 later. FastAPI's CPU per
 * request does not change after the first 500.
 */
const settling = { service: [500, 9500], peer: [100, 900] } as const satisfies Record<string, Settling>;
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
      for (const side of sides) {
        for (const requests of settling[side]) await settle(load, { service, peer }[side], web, requests);
      }
      for (let round = 1; round <= rounds; round++) {
        for (const [index, one] of cases.entries()) {
          for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
            const result = await measure(load, { service, peer }[side], one);
            measured[index]![side].push(result);
          }
        }
        progress(`round ${round} of ${rounds}`);
      }
      return {
        tables: [answers(cases, measured), cpu(cases, measured)],
        verdicts: verdicts(measured),
        notes: [
          `The model is test/fixtures/siglip-tiny at 64 px, some 0.3 ms a view, one engine thread; answers are float16 .npy, and nothing is cached or joined. Measured after ${totalOf(settling.service)} requests to the service and ${totalOf(settling.peer)} to the peer, after which CPU per request no longer falls. The peer: ${versions}.`,
        ],
      };
    } finally {
      await Promise.all([load.close(), ...servers.map((server) => server.close())]);
    }
  },
};

/** Until the optimising compiler has seen what is called, as in a server that has run for a while. */
async function settle(
  load: LoadGenerator,
  server: ServerProcess,
  picture: Picture,
  requests: number,
): Promise<void> {
  const target = { transport: 'http', url: `${server.url}/encode`, body: picture.bytes } as const;
  await load.closedLoop(target, 8, { kind: 'requests', requests });
}

async function measure(load: LoadGenerator, server: ServerProcess, one: Case): Promise<Round> {
  const target = { transport: 'http', url: `${server.url}/encode`, body: one.picture.bytes } as const;
  await load.closedLoop(target, one.clients, { kind: 'requests', requests: one.clients });
  const before = await processCpu(server.pid);
  const {
    answers: count,
    perSecond,
    latency,
  } = await load.closedLoop(target, one.clients, {
    kind: 'requests',
    requests: one.requests,
  });
  const after = await processCpu(server.pid);
  return {
    perSecond,
    p50Ms: latency.p50Ms,
    p99Ms: latency.p99Ms,
    mainMs: (after.mainMs - before.mainMs) / count,
    allMs: (after.allMs - before.allMs) / count,
  };
}

type Measured = Readonly<Record<(typeof sides)[number], readonly Round[]>>;

const middle = (each: readonly Round[], figure: keyof Round): number =>
  median(each.map((round) => round[figure]));

/** The service's figure of each round, of the peer's. */
const ratios = ({ service, peer }: Measured, figure: keyof Round): number[] =>
  service.map((round, index) => round[figure] / peer[index]![figure]);

function answers(cases: readonly Case[], measured: readonly Measured[]): Table {
  return {
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
    rows: cases.map(({ picture, clients }, index) => {
      const each = measured[index]!;
      const pair = (figure: keyof Round) => sides.map((side) => middle(each[side], figure));
      const ratio = ratios(each, 'perSecond');
      const range = [median(ratio), Math.min(...ratio), Math.max(...ratio)];
      return [picture.name, clients, ...pair('perSecond'), ...range, ...pair('p50Ms'), ...pair('p99Ms')];
    }),
  };
}

function cpu(cases: readonly Case[], measured: readonly Measured[]): Table {
  return {
    title: 'CPU of one request, ms',
    columns: [
      { title: 'picture' },
      { title: 'clients' },
      { title: 'service, main thread', digits: 2 },
      { title: 'service', digits: 2 },
      { title: 'FastAPI', digits: 2 },
      { title: 'ratio', digits: 2 },
    ],
    rows: cases.map(({ picture, clients }, index) => {
      const { service, peer } = measured[index]!;
      const all = [middle(service, 'allMs'), middle(peer, 'allMs')];
      return [
        picture.name,
        clients,
        middle(service, 'mainMs'),
        ...all,
        median(ratios({ service, peer }, 'allMs')),
      ];
    }),
  };
}

/** The bars are those of the picture of the web, for 1, 8 and 32 clients. */
function verdicts([one, eight, many]: readonly Measured[]): Verdict[] {
  const least = (what: string, value: number, bar: number): Verdict => ({
    what,
    value,
    limit: 'at least',
    bar,
  });
  const most = (what: string, value: number, bar: number): Verdict => ({
    what,
    value,
    limit: 'at most',
    bar,
  });
  const ratio = (each: Measured | undefined, figure: keyof Round) => median(ratios(each!, figure));
  return [
    least("requests per second with 1 client, of FastAPI's", ratio(one, 'perSecond'), 1),
    least("requests per second with 8 clients, of FastAPI's", ratio(eight, 'perSecond'), 1.3),
    least("requests per second with 32 clients, of FastAPI's", ratio(many, 'perSecond'), 1.3),
    most("p50 with 1 client, of FastAPI's", ratio(one, 'p50Ms'), 1),
    most("p99 with 32 clients, of FastAPI's", ratio(many, 'p99Ms'), 0.7),
    most("CPU of a request with 1 client, of FastAPI's", ratio(one, 'allMs'), 0.8),
    most('main-thread CPU of a small answer, ms', middle(one!.service, 'mainMs'), 0.8),
  ];
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
