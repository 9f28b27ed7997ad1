import type { LoadTarget } from './arguments.ts';
import { Offers } from './offers.ts';
import { codesText, lagNotes, type Row } from './rows/row.ts';

const usualSeconds = 10;

/** What a service that runs already makes of a load. */
export function offerTo({ place, arrivals, mix, dtype, headers }: LoadTarget): Row {
  const where = place.transport === 'http' ? place.url : `${place.address}, gRPC`;
  const how =
    arrivals.kind === 'closed'
      ? `closed loop of ${arrivals.clients} clients`
      : `open loop of ${arrivals.kind === 'poisson' ? `${arrivals.perSecond} a second` : 'bursts'}`;
  return {
    title: `Load: ${where}, ${how}`,
    async run({ seconds = usualSeconds, image, seed }) {
      const offers = new Offers();
      try {
        const report = await offers.make({
          name: where,
          place,
          arrivals,
          mix,
          dtype,
          headers,
          image,
          seed,
          settleMs: Math.min(2, seconds / 5) * 1000,
          windowMs: seconds * 1000,
        });
        const result = report.offers[0]!;
        return {
          tables: [
            {
              title: `${result.goodput.toFixed(2)} answers a second over ${seconds} s; ms from when a request was due`,
              columns: [
                { title: 'answer' },
                { title: 'count' },
                ...['p50', 'p90', 'p99', 'p99.9', 'max'].map((title) => ({ title, digits: 1 })),
              ],
              rows: Object.entries(result.latency).map(
                ([code, { count, p50Ms, p90Ms, p99Ms, p999Ms, maxMs }]) => [
                  code,
                  count,
                  p50Ms,
                  p90Ms,
                  p99Ms,
                  p999Ms,
                  maxMs,
                ],
              ),
            },
          ],
          verdicts: [],
          notes: [`In all: ${codesText(result)}.`, ...lagNotes(report.offers, report.generatorCpu)],
          data: report,
        };
      } finally {
        await offers.close();
      }
    },
  };
}
