import type { Offer } from '../offer.ts';
import { Offers } from '../offers.ts';
import { watchResident } from '../resident.ts';
import { startStub } from '../stub-process.ts';
import { residentTable, secondHalfRatio } from './resident-table.ts';
import { capacity, codesText, lagNotes, latencyOf, placeOf, type Row, stubText } from './row.ts';

const usualSeconds = 600;
const load = 0.8;
/** By requests; a teacher is five views, an AnyRes of the usual picture three. */
const mix = { encode: 0.6, teacher: 0.2, anyres: 0.2 } as const;
const settleMs = 20_000;
const queued = 512;

/** Memory over a long time at 80 % load. */
export const soak: Row = {
  title: `Soak: all endpoints mixed at ${load * 100} % of what the service can do`,
  async run({ stub, seconds = usualSeconds, transports, image, seed }, progress) {
    // A teacher takes five views at once: at 80 % load a short queue would refuse some.
    const service = await startStub({ ...stub, queued: Math.max(stub.queued, queued) });
    const offers = new Offers();
    try {
      const offer = (name: string, index: number): Offer => ({
        name,
        place: placeOf(service, transports[index]!),
        arrivals: { kind: 'closed', clients: stub.batch * 2 },
        mix,
        image,
        seed: seed + 10 * index,
        settleMs: 2000,
        windowMs: Math.min(20, seconds) * 1000,
      });
      const before = await service.viewsRun();
      const {
        offers: [peak],
      } = await offers.make({
        ...offer('peak', 0),
        arrivals: { kind: 'closed', clients: stub.batch * 4 },
      });
      const answers = Object.values(peak!.codes).reduce((sum, count) => sum + count, 0);
      const viewsEach = ((await service.viewsRun()) - before) / answers;
      const perSecond = peak!.goodput * load;
      progress(`peak ${peak!.goodput.toFixed(1)}/s of ${viewsEach.toFixed(2)} views each`);
      // What is started for the first time under this load is not growth.
      const loads = (windowMs: number) =>
        transports.map(
          (transport, index): Offer => ({
            ...offer(transport, index),
            arrivals: { kind: 'poisson', perSecond: perSecond / transports.length },
            windowMs,
          }),
        );
      await offers.make(...loads(Math.min(settleMs, seconds * 500)));
      const resident = watchResident(service.pid);
      const report = await offers.make(...loads(seconds * 1000)).finally(() => resident.stop());
      return {
        tables: [
          {
            title: `${seconds} s on a stub of ${stubText(stub)}: ${perSecond.toFixed(1)} requests a second, ${(((perSecond * viewsEach) / capacity(stub)) * 100).toFixed(0)} % of the engine's time; ms`,
            columns: [
              { title: 'transport' },
              { title: 'answers/s', digits: 2 },
              { title: 'p50' },
              { title: 'p99' },
              { title: 'requests' },
              { title: 'ok' },
            ],
            rows: report.offers.map((result) => [
              result.transport,
              result.goodput,
              latencyOf(result, 'ok', 'p50Ms'),
              latencyOf(result, 'ok', 'p99Ms'),
              result.due,
              result.codes['ok'] ?? 0,
            ]),
          },
          residentTable([{ name: 'the service', bytes: resident.bytes }]),
        ],
        verdicts: [
          {
            what: "memory of the second half, of the first's",
            value: secondHalfRatio(resident.bytes),
            limit: 'at most',
            bar: 1.05,
          },
          {
            what: 'requests answered, of all',
            value:
              report.offers.reduce((sum, { codes }) => sum + (codes['ok'] ?? 0), 0) /
              report.offers.reduce((sum, { due }) => sum + due, 0),
            limit: 'at least',
            bar: 1,
          },
        ],
        notes: [
          ...report.offers.map((result) => `${result.transport}: ${codesText(result)}.`),
          ...lagNotes(report.offers, report.generatorCpu),
        ],
        data: { peak, viewsEach, ...report, residentBytes: resident.bytes },
      };
    } finally {
      await offers.close();
      await service.close();
    }
  },
};
