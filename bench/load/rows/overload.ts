import type { Verdict } from '../../report/section.ts';
import type { LoadReport, Offer, OfferResult } from '../offer.ts';
import { Offers } from '../offers.ts';
import { watchResident } from '../resident.ts';
import { startStub } from '../stub-process.ts';
import { residentTable, secondHalfRatio } from './resident-table.ts';
import {
  capacity,
  codesText,
  lagNotes,
  latencyOf,
  placeOf,
  refusalCode,
  type Row,
  type RowOptions,
  stubText,
  type Transport,
} from './row.ts';

const usualSeconds = 60;
const times = 10;
const unloadedShare = 0.15;

interface Overload {
  readonly transport: Transport;
  readonly peak: OfferResult;
  readonly unloaded: OfferResult;
  readonly overload: OfferResult;
  readonly offeredPerSecond: number;
  /** What the full queue takes at the peak's rate. */
  readonly queueMs: number;
  readonly generatorCpu: number;
  readonly residentBytes: readonly number[];
}

/** Goodput, refusals and memory at many times what the service can do, beside what it does when asked well. */
export const overload: Row = {
  title: `Overload: ${times} times the sustainable rate`,
  async run(options, progress) {
    const found: Overload[] = [];
    for (const transport of options.transports) found.push(await overloaded(options, transport, progress));
    return {
      tables: [
        {
          title: `Encode on a stub of ${stubText(options.stub)}, ${options.stub.queued} views admitted; ms`,
          columns: [
            { title: 'transport' },
            { title: 'peak/s', digits: 1 },
            { title: 'offered/s', digits: 1 },
            { title: 'goodput/s', digits: 1 },
            { title: 'of peak', digits: 3 },
            { title: 'refused p50', digits: 1 },
            { title: 'refused p99', digits: 1 },
            { title: 'accepted p50' },
            { title: 'accepted p99' },
            { title: 'full queue' },
            { title: 'unloaded p50', digits: 1 },
            { title: 'unloaded p99', digits: 1 },
          ],
          rows: found.map(({ transport, peak, unloaded, overload: over, offeredPerSecond, queueMs }) => [
            transport,
            peak.goodput,
            offeredPerSecond,
            over.goodput,
            over.goodput / peak.goodput,
            latencyOf(over, refusalCode, 'p50Ms'),
            latencyOf(over, refusalCode, 'p99Ms'),
            latencyOf(over, 'ok', 'p50Ms'),
            latencyOf(over, 'ok', 'p99Ms'),
            queueMs,
            latencyOf(unloaded, 'ok', 'p50Ms'),
            latencyOf(unloaded, 'ok', 'p99Ms'),
          ]),
        },
        residentTable(found.map(({ transport, residentBytes: bytes }) => ({ name: transport, bytes }))),
      ],
      verdicts: found.flatMap(verdictsOf),
      notes: found.flatMap(({ transport, overload: over, generatorCpu }) => [
        `${transport}, under overload: ${codesText(over)}. ${lagNotes([over], generatorCpu).join(' ')}`,
      ]),
      data: found,
    };
  },
};

async function overloaded(
  { stub, seconds = usualSeconds, image, seed }: RowOptions,
  transport: Transport,
  progress: (line: string) => void,
): Promise<Overload> {
  const service = await startStub(stub);
  const offers = new Offers();
  try {
    const common = { place: placeOf(service, transport), mix: { encode: 1 }, image, seed };
    const asideMs = Math.min(20, Math.max(3, seconds / 2)) * 1000;
    const one = async (offer: Offer): Promise<LoadReport & { readonly only: OfferResult }> => {
      const report = await offers.make(offer);
      return { ...report, only: report.offers[0]! };
    };
    // So many that a batch under way, one prepared and one that fills never want for views.
    const clients = Math.min(stub.queued, stub.batch * 4);
    const peak = await one({
      ...common,
      name: 'peak',
      arrivals: { kind: 'closed', clients },
      settleMs: 3000,
      windowMs: asideMs,
    });
    const peakPerSecond = peak.only.goodput;
    progress(`${transport}: at its peak ${peakPerSecond.toFixed(1)}/s of ${capacity(stub).toFixed(1)}`);
    const unloaded = await one({
      ...common,
      name: 'unloaded',
      arrivals: { kind: 'poisson', perSecond: peakPerSecond * unloadedShare },
      settleMs: 500,
      windowMs: asideMs,
    });
    const queueMs = (stub.queued / peakPerSecond) * 1000;
    const offeredPerSecond = peakPerSecond * times;
    const settleMs = queueMs + 1000;
    const resident = watchResident(service.pid);
    const over = await one({
      ...common,
      name: 'overload',
      arrivals: { kind: 'poisson', perSecond: offeredPerSecond },
      settleMs,
      windowMs: seconds * 1000,
    }).finally(() => resident.stop());
    progress(`${transport}: overloaded ${over.only.goodput.toFixed(1)}/s`);
    return {
      transport,
      peak: peak.only,
      unloaded: unloaded.only,
      overload: over.only,
      offeredPerSecond,
      queueMs,
      generatorCpu: over.generatorCpu,
      // The queue's own fill is not growth.
      residentBytes: resident.bytes.slice(Math.ceil(settleMs / 1000)),
    };
  } finally {
    await offers.close();
    await service.close();
  }
}

function verdictsOf({
  transport,
  peak,
  unloaded,
  overload: over,
  queueMs,
  residentBytes,
}: Overload): Verdict[] {
  const known = (ms: number | undefined) => ms ?? Number.NaN;
  return [
    {
      what: `${transport} goodput, of the peak`,
      value: over.goodput / peak.goodput,
      limit: 'at least',
      bar: 0.95,
    },
    {
      what: `${transport} p99 ms of refusals`,
      value: known(latencyOf(over, refusalCode, 'p99Ms')),
      limit: 'at most',
      bar: 100,
    },
    {
      what: `${transport} p99 ms of accepted requests`,
      value: known(latencyOf(over, 'ok', 'p99Ms')),
      limit: 'at most',
      bar: Math.round(queueMs + 3 * known(latencyOf(unloaded, 'ok', 'p99Ms'))),
    },
    ...(residentBytes.length < 2
      ? []
      : [
          {
            what: `${transport} memory of the second half, of the first's`,
            value: secondHalfRatio(residentBytes),
            limit: 'at most' as const,
            bar: 1.05,
          },
        ]),
  ];
}
