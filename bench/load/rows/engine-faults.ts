import { setTimeout as delay } from 'node:timers/promises';
import type { Verdict } from '../../report/section.ts';
import { answersIn } from '../answers-in-log.ts';
import { type OfferResult, sliceMs } from '../offer.ts';
import { Offers } from '../offers.ts';
import { type EngineFault, engineFaults } from '../stub-model.ts';
import { startStub } from '../stub-process.ts';
import { codesText, lagNotes, placeOf, type Row, type RowOptions, stubText } from './row.ts';

/** Before the fault; what is compared with. */
const wholeSeconds = 5;
const usualSeconds = 15;
const settleMs = 2000;
/** Goodput is counted over a second. */
const secondSlices = 1000 / sliceMs;
const engineTimeoutMs = 3000;
/** In which the worst second is looked for. */
const dipSlices = 3 * secondSlices;

interface Faulty {
  readonly fault: EngineFault;
  readonly result: OfferResult;
  /** Answers a second of both engines, before the fault. */
  readonly bothPerSecond: number;
  /** Answers in the worst second after it, of one engine's rate. */
  readonly worst: number;
  /** From the fault until a second, at or after the worst one, has 0.9 of one engine's rate. */
  readonly oneAfterMs: number;
  /** The same for 0.95 of both engines' rate; undefined if it never has it again. */
  readonly bothAfterMs: number | undefined;
  readonly lost: number;
  readonly twice: number;
  readonly generatorCpu: number;
}

/** What a fault of one of two engines costs. */
export const engineFaultsRow: Row = {
  title: 'Engine faults: one of two engines ends, hangs, or gives NaN',
  async run(options, progress) {
    const found: Faulty[] = [];
    for (const fault of engineFaults) {
      found.push(await faulty(options, fault));
      progress(`${fault}: ${codesText(found.at(-1)!.result)}`);
    }
    return {
      tables: [
        {
          title: `Encode over ${options.transports[0]} on two engines, each a stub of ${stubText(options.stub)}`,
          columns: [
            { title: 'fault' },
            { title: 'both/s', digits: 1 },
            { title: 'worst second, of one', digits: 2 },
            { title: '0.9 of one after ms' },
            { title: '0.95 of both after ms' },
            { title: 'lost' },
            { title: 'answered twice' },
          ],
          rows: found.map(({ fault, bothPerSecond, worst, oneAfterMs, bothAfterMs, lost, twice }) => [
            fault,
            bothPerSecond,
            worst,
            oneAfterMs,
            bothAfterMs,
            lost,
            twice,
          ]),
        },
      ],
      verdicts: found.flatMap(verdictsOf),
      notes: [
        `"not finite" is an engine whose every token is NaN from the fault on. An engine that hangs is given up after ${engineTimeoutMs} ms and not replaced. "answered twice" is what the service's log has answered beyond what the clients got.`,
        ...found.flatMap(({ fault, result, generatorCpu }) => [
          `${fault}: ${codesText(result)}. Answers in each ${sliceMs} ms: ${result.slices.join(' ')}. ${lagNotes([result], generatorCpu).join(' ')}`,
        ]),
      ],
      data: found,
    };
  },
};

async function faulty(
  { stub, seconds = usualSeconds, transports, image, seed }: RowOptions,
  fault: EngineFault,
): Promise<Faulty> {
  const flags = [...(stub.flags ?? []), '--engines=2', `--engine-timeout-ms=${engineTimeoutMs}`];
  const service = await startStub({ ...stub, logLevel: 'info', flags });
  const offers = new Offers();
  try {
    const offer = {
      name: fault,
      place: placeOf(service, transports[0]!),
      // Enough for two batches that run, two that are prepared, and what fills.
      arrivals: { kind: 'closed', clients: Math.min(stub.queued, stub.batch * 8) },
      mix: { encode: 1 },
      image,
      seed,
    } as const;
    // A process that has not started yet would be late for the fault.
    const first = await offers.make({ ...offer, settleMs: 0, windowMs: 500 });
    const making = offers.make({ ...offer, settleMs, windowMs: (wholeSeconds + seconds) * 1000 });
    await delay(settleMs + wholeSeconds * 1000);
    await service.breakEngine(fault);
    const report = await making;
    const result = report.offers[0]!;
    const ok = result.codes['ok'] ?? 0;
    const okBefore = first.offers[0]!.codes['ok'] ?? 0;
    const before = result.slices.slice(0, wholeSeconds * secondSlices);
    const after = perSecondAfter(result.slices);
    const bothPerSecond = before.reduce((sum, count) => sum + count, 0) / wholeSeconds;
    const worst = Math.min(...after.slice(0, dipSlices));
    const firstWith = (rate: number) => {
      if (worst >= rate) return 0;
      const slice = after.findIndex((perSecond, index) => index >= after.indexOf(worst) && perSecond >= rate);
      return slice === -1 ? undefined : slice * sliceMs;
    };
    return {
      fault,
      result,
      bothPerSecond,
      worst: worst / (bothPerSecond / 2),
      oneAfterMs: firstWith(0.9 * (bothPerSecond / 2)) ?? Number.POSITIVE_INFINITY,
      bothAfterMs: firstWith(0.95 * bothPerSecond),
      lost: result.due - ok,
      twice: (await answersIn(service.logFile)) - ok - okBefore,
      generatorCpu: report.generatorCpu,
    };
  } finally {
    await offers.close();
    await service.close();
  }
}

/** Answers in the second from each slice on, from the fault on. */
function perSecondAfter(slices: readonly number[]): readonly number[] {
  // The slice of the fault itself has answers from before it.
  const after = slices.slice(wholeSeconds * secondSlices + 1);
  return after
    .slice(0, 1 - secondSlices)
    .map((_, index) => after.slice(index, index + secondSlices).reduce((sum, count) => sum + count, 0));
}

function verdictsOf({ fault, oneAfterMs, bothAfterMs, lost, twice }: Faulty): Verdict[] {
  const atMost = (what: string, value: number, bar: number): Verdict => ({
    what: `${fault}: ${what}`,
    value,
    limit: 'at most',
    bar,
  });
  const replaced = atMost('ms until 0.95 of both engines', bothAfterMs ?? Number.POSITIVE_INFINITY, 5000);
  return [
    atMost('requests lost', lost, 0),
    atMost('answered twice', twice, 0),
    atMost('ms until 0.9 of one engine', oneAfterMs, 2000),
    ...(fault === 'hang' ? [] : [replaced]),
  ];
}
