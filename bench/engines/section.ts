import { availableParallelism } from 'node:os';
import { LoadGenerator } from '../load/generator.ts';
import { startStub } from '../load/stub-process.ts';
import { randomModel } from '../models/random-model.ts';
import { rocketOverHttp, type ServiceProcess, startService } from '../processes/service-process.ts';
import type { Section } from '../report/section.ts';
import { median } from '../report/statistics.ts';
import type { Table } from '../report/table.ts';
import { BareLoop, calibratedModel } from '../throughput/bare-loops.ts';
import { type Memory, memoryOf, memoryShape } from './memory.ts';

const until = { kind: 'time', settleMs: 1_000, windowMs: 5_000 } as const;
const rounds = 3;
const counts = [1, 2, 4] as const;
const stubMs = 100;

interface Rate {
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** What several engines in one process give, and what they cost in memory. */
export const engines: Section = {
  title: 'Engines: several in one process',
  async run(progress) {
    const load = new LoadGenerator();
    try {
      const stubs = await stubRates(load, progress);
      const real = await realRates(load, progress);
      const memory = await memoryTable(progress);
      const linear = stubs.at(-1)!.perSecond / (stubs[0]!.perSecond * counts.at(-1)!);
      return {
        tables: [
          {
            title: `Engines of a stub that takes ${stubMs} ms a view, one batch of one view each`,
            columns: [
              { title: 'engines' },
              { title: 'views/s', digits: 2 },
              { title: 'of one, each', digits: 3 },
              { title: 'p99 ms' },
            ],
            rows: stubs.map(({ perSecond, p99Ms }, index) => [
              counts[index]!,
              perSecond,
              perSecond / (stubs[0]!.perSecond * counts[index]!),
              p99Ms,
            ]),
          },
          {
            title: `A model on ${availableParallelism()} cores, medians of ${rounds} rounds`,
            columns: [{ title: 'engines x threads' }, { title: 'views/s', digits: 2 }, { title: 'p99 ms' }],
            rows: Object.entries(real).map(([name, rates]) => [
              name,
              median(rates.map(({ perSecond }) => perSecond)),
              median(rates.map(({ p99Ms }) => p99Ms)),
            ]),
          },
          ...(memory === undefined ? [] : [memory]),
        ],
        verdicts: [
          { what: 'stub: 4 engines, of 4 times one', value: linear, limit: 'at least', bar: 0.95 },
          {
            what: '2 engines x 1 thread, of 1 engine x 2 threads',
            value: median(
              real['2 x 1'].map(({ perSecond }, round) => perSecond / real['1 x 2'][round]!.perSecond),
            ),
            limit: 'at least',
            bar: 1,
          },
        ],
        notes: [
          'Clients send rocket.jpg over HTTP in a closed loop, four for each engine. They and the service share the cores.',
        ],
      };
    } finally {
      await load.close();
    }
  },
};

async function stubRates(load: LoadGenerator, progress: (line: string) => void): Promise<Rate[]> {
  const rates: Rate[] = [];
  for (const count of counts) {
    const flags = [`--engines=${count}`];
    const stub = await startStub({
      batch: 1,
      batchMs: stubMs,
      viewMs: 0,
      channels: 64,
      queued: 64,
      flags,
    });
    try {
      rates.push(await rateOf(load, stub, 4 * count));
    } finally {
      await stub.close();
    }
    progress(`${count} stubs: ${rates.at(-1)!.perSecond.toFixed(2)} views/s`);
  }
  return rates;
}

async function realRates(
  load: LoadGenerator,
  progress: (line: string) => void,
): Promise<Record<'1 x 2' | '2 x 1', Rate[]>> {
  const bare = new BareLoop(1);
  const { folder } = await calibratedModel(bare, progress);
  await bare.close();
  const rates: Record<'1 x 2' | '2 x 1', Rate[]> = { '1 x 2': [], '2 x 1': [] };
  const services: ServiceProcess[] = [];
  try {
    const start = async (count: number, threads: number) => {
      const service = await startService([`--model=${folder}`, `--engines=${count}`, `--threads=${threads}`]);
      services.push(service);
      return service;
    };
    const each = { '1 x 2': await start(1, 2), '2 x 1': await start(2, 1) };
    for (let round = 1; round <= rounds; round++) {
      for (const name of ['1 x 2', '2 x 1'] as const) {
        rates[name].push(await rateOf(load, each[name], 8));
        progress(`round ${round} of ${rounds}: ${name} ${rates[name].at(-1)!.perSecond.toFixed(2)} views/s`);
      }
    }
    return rates;
  } finally {
    for (const service of services) await service.close();
  }
}

async function rateOf(load: LoadGenerator, service: ServiceProcess, clients: number): Promise<Rate> {
  const target = await rocketOverHttp(`${service.url}/v1/encode?format=raw`);
  const { perSecond, latency } = await load.closedLoop(target, clients, until);
  return { perSecond, p99Ms: latency.p99Ms };
}

async function memoryTable(progress: (line: string) => void): Promise<Table | undefined> {
  const rows: (string | number)[][] = [];
  for (const precision of ['fp32', 'int8'] as const) {
    const { folder } = await randomModel(memoryShape, precision);
    for (const weights of ['own', 'shared'] as const) {
      for (const count of counts) {
        const flags = weights === 'shared' ? ['--share-weights'] : [];
        const memory: Memory | undefined = await memoryOf(folder, count, flags);
        if (memory === undefined) return undefined;
        rows.push([precision, weights, count, memory.proportionalMiB, memory.ownMiB]);
        progress(`${precision}, ${weights} weights, ${count} engines: ${memory.proportionalMiB} MiB`);
      }
    }
  }
  return {
    title: 'Memory of the service on a model of 768 channels and 12 layers (330 MiB in fp32, 88 MiB in int8)',
    columns: [
      { title: 'precision' },
      { title: 'weights' },
      { title: 'engines' },
      { title: 'MiB' },
      { title: 'of it private MiB' },
    ],
    rows,
  };
}
