import { Offers } from '../offers.ts';
import { startStub } from '../stub-process.ts';
import { codesText, placeOf, type Row, type RowOptions, stubText, type Transport } from './row.ts';

const usualSeconds = 30;
/** Batches that a burst fills: what is handed over before anybody leaves must be a small part of it. */
const batchesABurst = 12;
/** The batch under way, the one prepared, and one that forms while the clients leave. */
const batchesHandedOver = 3;

/** What the engine spends on clients that have left. */
export const leavers: Row = {
  title: 'Leavers: half of the clients leave while queued',
  async run(options, progress) {
    const found = [];
    for (const transport of options.transports) {
      found.push(await left(options, transport));
      progress(`${transport}: done`);
    }
    return {
      tables: [
        {
          title: `Views on a stub of ${stubText(options.stub)}, in bursts of ${options.stub.batch * batchesABurst}`,
          columns: [
            { title: 'transport' },
            { title: 'requests' },
            { title: 'left' },
            { title: 'wanted' },
            { title: 'spent' },
            { title: 'on leavers' },
            { title: '% of theirs', digits: 1 },
            { title: 'handed over before' },
          ],
          rows: found.map(({ transport, result, bursts, spent }) => {
            const wanted = result.codes['ok'] ?? 0;
            const gone = result.codes['left'] ?? 0;
            const wasted = spent - wanted;
            const mayBe = bursts * batchesHandedOver * options.stub.batch;
            return [transport, result.due, gone, wanted, spent, wasted, (wasted / gone) * 100, mayBe];
          }),
        },
      ],
      verdicts: found.map(({ transport, result, bursts, spent }) => ({
        what: `${transport} views spent on leavers, a burst`,
        value: (spent - (result.codes['ok'] ?? 0)) / bursts,
        limit: 'at most',
        bar: batchesHandedOver * options.stub.batch,
      })),
      notes: [
        `They leave half a batch's time after asking. "wanted" is what was answered. "handed over before" is the bound: ${batchesHandedOver} batches a burst, of which those who stay have a part.`,
        ...found.map(
          ({ transport, result: { codes, lag } }) =>
            `${transport}: ${codesText({ codes })}. Sending a burst took up to ${lag.maxMs.toFixed(0)} ms.`,
        ),
      ],
      data: found,
    };
  },
};

async function left({ stub, seconds = usualSeconds, image, seed }: RowOptions, transport: Transport) {
  const calls = stub.batch * batchesABurst;
  const service = await startStub({ ...stub, queued: Math.max(stub.queued, calls) });
  const offers = new Offers();
  try {
    const tMs = stub.batchMs + stub.viewMs * stub.batch;
    // A burst must be over before the next one.
    const everyMs = tMs * (batchesABurst + 2);
    const bursts = Math.max(1, Math.floor((seconds * 1000) / everyMs));
    const common = { place: placeOf(service, transport), mix: { encode: 1 }, image, seed, settleMs: 0 };
    await offers.make({
      ...common,
      name: 'warm',
      arrivals: { kind: 'closed', clients: stub.batch },
      windowMs: 1000,
    });
    const before = await service.viewsRun();
    const { offers: results, generatorCpu } = await offers.make({
      ...common,
      name: 'leavers',
      arrivals: { kind: 'bursts', calls, everyMs },
      leaving: { share: 0.5, afterMs: tMs / 2 },
      windowMs: bursts * everyMs,
    });
    // Batches of leavers may still run when the last who stayed has its answer.
    await new Promise((resolve) => setTimeout(resolve, tMs * batchesHandedOver));
    const spent = (await service.viewsRun()) - before;
    return { transport, result: results[0]!, bursts, spent, generatorCpu };
  } finally {
    await offers.close();
    await service.close();
  }
}
