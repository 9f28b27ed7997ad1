import type { Offer } from '../offer.ts';
import { Offers } from '../offers.ts';
import { startStub } from '../stub-process.ts';
import {
  capacity,
  codesText,
  lagNotes,
  latencyOf,
  placeOf,
  type Row,
  type RowOptions,
  stubText,
  type Transport,
} from './row.ts';

const usualSeconds = 30;
const interactiveShare = 0.3;

/** What bulk costs those who wait, and whether bulk gets on. */
export const priorities: Row = {
  title: 'Priorities: interactive requests beside as much bulk as the service takes',
  async run(options, progress) {
    const found = [];
    for (const transport of options.transports) {
      found.push(await besideBulk(options, transport));
      progress(`${transport}: done`);
    }
    const tMs = options.stub.batchMs + options.stub.viewMs * options.stub.batch;
    return {
      tables: [
        {
          title: `Interactive at ${interactiveShare * 100} % of a stub of ${stubText(options.stub)}; ms`,
          columns: [
            { title: 'transport' },
            { title: 'without bulk p50' },
            { title: 'without bulk p99' },
            { title: 'beside bulk p50' },
            { title: 'beside bulk p99' },
            { title: 'interactive/s', digits: 1 },
            { title: 'bulk/s', digits: 1 },
          ],
          rows: found.map(({ transport, without, interactive, bulk }) => [
            transport,
            latencyOf(without, 'ok', 'p50Ms'),
            latencyOf(without, 'ok', 'p99Ms'),
            latencyOf(interactive, 'ok', 'p50Ms'),
            latencyOf(interactive, 'ok', 'p99Ms'),
            interactive.goodput,
            bulk.goodput,
          ]),
        },
      ],
      verdicts: found.flatMap(({ transport, without, interactive, bulk }) => [
        {
          what: `${transport} interactive p99, more than without bulk, in batches`,
          value:
            ((latencyOf(interactive, 'ok', 'p99Ms') ?? Number.NaN) -
              (latencyOf(without, 'ok', 'p99Ms') ?? Number.NaN)) /
            tMs,
          limit: 'at most' as const,
          bar: 2,
        },
        {
          what: `${transport} bulk answers a second`,
          value: bulk.goodput,
          limit: 'at least' as const,
          bar: capacity(options.stub) * 0.1,
        },
      ]),
      notes: found.flatMap(({ transport, interactive, bulk, generatorCpu }) => [
        `${transport}: interactive ${codesText(interactive)}; bulk ${codesText(bulk)}.`,
        ...lagNotes([interactive], generatorCpu),
      ]),
      data: found,
    };
  },
};

async function besideBulk({ stub, seconds = usualSeconds, image, seed }: RowOptions, transport: Transport) {
  const service = await startStub(stub);
  const offers = new Offers();
  try {
    const common = {
      place: placeOf(service, transport),
      mix: { encode: 1 },
      image,
      settleMs: 2000,
      windowMs: seconds * 1000,
    };
    const interactive: Offer = {
      ...common,
      name: 'interactive',
      arrivals: { kind: 'poisson', perSecond: capacity(stub) * interactiveShare },
      seed,
    };
    const bulk: Offer = {
      ...common,
      name: 'bulk',
      arrivals: { kind: 'closed', clients: stub.queued * 2 },
      headers: { priority: 'bulk' },
      seed: seed + 10,
    };
    const without = await offers.make(interactive);
    const report = await offers.make(interactive, bulk);
    return {
      transport,
      without: without.offers[0]!,
      interactive: report.offers[0]!,
      bulk: report.offers[1]!,
      generatorCpu: report.generatorCpu,
    };
  } finally {
    await offers.close();
    await service.close();
  }
}
