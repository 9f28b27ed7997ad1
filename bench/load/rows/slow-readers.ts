import type { Offer } from '../offer.ts';
import { Offers } from '../offers.ts';
import { watchResident } from '../resident.ts';
import { startStub } from '../stub-process.ts';
import { residentTable } from './resident-table.ts';
import {
  answeredShare,
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

const usualSeconds = 60;
const readers = 200;
const readBytesPerSecond = 20_000;
/** So400m's: float32 tokens of a view are 4.7 MB, more than a socket's buffers take. */
const channels = 1152;
const unreadBytes = readers * 1024 * channels * 4;
const othersShare = 0.25;
const mib = 2 ** 20;

/** Memory, and what others wait, beside clients that read their answers at a trickle. */
export const slowReaders: Row = {
  title: `Slow readers: ${readers} clients read ${readBytesPerSecond / 1000} kB/s`,
  async run(options, progress) {
    const found = [];
    for (const transport of options.transports) {
      found.push(await beside(options, transport));
      progress(`${transport}: done`);
    }
    return {
      tables: [
        {
          title: `Others on a stub of ${stubText(options.stub)}: float16 tokens of ${channels} channels; ms`,
          columns: [
            { title: 'transport' },
            { title: 'without p50' },
            { title: 'without p99' },
            { title: 'beside p50' },
            { title: 'beside p99' },
            { title: 'answered', digits: 3 },
          ],
          rows: found.map(({ transport, without, others }) => [
            transport,
            latencyOf(without, 'ok', 'p50Ms'),
            latencyOf(without, 'ok', 'p99Ms'),
            latencyOf(others, 'ok', 'p50Ms'),
            latencyOf(others, 'ok', 'p99Ms'),
            answeredShare(others),
          ]),
        },
        residentTable(
          found.map(({ transport, residentBytes }) => ({ name: transport, bytes: residentBytes })),
        ),
      ],
      verdicts: found.flatMap(({ transport, others, residentBytes, usualLooks }) => [
        {
          what: `${transport} requests of others that were answered, of all`,
          value: answeredShare(others),
          limit: 'at least' as const,
          bar: 1,
        },
        {
          what: `${transport} memory beyond the usual, of the unread tokens' own`,
          value: (Math.max(...residentBytes) - Math.max(...residentBytes.slice(0, usualLooks))) / unreadBytes,
          limit: 'at most' as const,
          bar: 1.5,
        },
      ]),
      notes: [
        `Unread tokens, float32: ${(unreadBytes / mib).toFixed(0)} MiB, less what the sockets hold.`,
        ...found.flatMap(({ transport, slow, others, generatorCpu }) => [
          `${transport}: slow readers ${codesText(slow)}, ${(slow.sizeBytes / mib).toFixed(0)} MiB read by those that ended; others ${codesText(others)}.`,
          ...lagNotes([others], generatorCpu),
        ]),
      ],
      data: found,
    };
  },
};

async function beside({ stub, seconds = usualSeconds, image, seed }: RowOptions, transport: Transport) {
  const service = await startStub({ ...stub, channels });
  const offers = new Offers();
  const resident = watchResident(service.pid);
  try {
    const common = { place: placeOf(service, transport), mix: { encode: 1 }, image, settleMs: 2000 };
    const others: Offer = {
      ...common,
      name: 'others',
      arrivals: { kind: 'poisson', perSecond: capacity(stub) * othersShare },
      seed,
      windowMs: seconds * 1000,
    };
    const slow: Offer = {
      ...common,
      name: 'slow readers',
      arrivals: { kind: 'closed', clients: readers },
      dtype: 'float32',
      seed: seed + 10,
      readBytesPerSecond,
      windowMs: seconds * 1000,
    };
    const without = await offers.make({ ...others, windowMs: Math.min(20, seconds) * 1000 });
    const usualLooks = resident.bytes.length;
    // Others are measured when every reader has its answer: until then they are callers like any.
    const settleMs = Math.max(2000, (readers / capacity(stub)) * 2000);
    const report = await offers.make({ ...others, settleMs }, { ...slow, settleMs });
    return {
      transport,
      without: without.offers[0]!,
      others: report.offers[0]!,
      slow: report.offers[1]!,
      generatorCpu: report.generatorCpu,
      residentBytes: resident.bytes,
      usualLooks,
    };
  } finally {
    resident.stop();
    await offers.close();
    await service.close();
  }
}
