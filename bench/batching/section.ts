import { Latencies, type LatencySummary } from '../report/latency.ts';
import type { Section } from '../report/section.ts';
import { seededRandom } from '../report/statistics.ts';
import { SimulatedClock } from './clock.ts';
import { policies, type Policy } from './policies.ts';
import { batchMs, TimedEngine } from './timed-engine.ts';

const largest = 16;
const capacityPerMs = largest / batchMs(largest);
const shares = [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95];
const arrivals = 10_000;
/** Not counted: the queue starts empty. */
const settling = 1_000;

/** Latency and batch size against load, on a stub engine and a simulated clock: exact, and the same every time. */
export const batching: Section = {
  title: 'Batching: t(b) = 20 + 5b ms, Poisson arrivals, simulated time',
  async run(progress) {
    const rows: (string | number)[][] = [];
    for (const share of shares) {
      for (const policy of policies) {
        const { latency, meanBatch, keepsUp } = await simulate(policy, share * capacityPerMs);
        rows.push([
          share * 100,
          share * capacityPerMs * 1000,
          policy.name,
          meanBatch,
          keepsUp ? latency.p50Ms : 'grows',
          keepsUp ? latency.p99Ms : 'grows',
        ]);
      }
      progress(`load ${share * 100} %`);
    }
    return {
      tables: [
        {
          title: `Batches of at most ${largest}; capacity ${(capacityPerMs * 1000).toFixed(0)} views a second`,
          columns: [
            { title: 'load %' },
            { title: 'views/s', digits: 1 },
            { title: 'policy' },
            { title: 'mean batch', digits: 1 },
            { title: 'p50 ms', digits: 1 },
            { title: 'p99 ms', digits: 1 },
          ],
          rows,
        },
      ],
      verdicts: [],
      notes: [
        `${arrivals - settling} requests of one view each are counted, from their arrival; the arrivals are the same for every policy.`,
        '"5 ms window, engine free" forms its batch when the window has passed and the engine is free (Triton); "5 ms window" forms it when the window has passed, whatever the engine does. Where a policy cannot keep up, its latency grows without end.',
        '"fixed size" waits for a full batch.',
      ],
    };
  },
};

/** One policy under open-loop arrivals of `ratePerMs`. */
export async function simulate(
  policy: Policy,
  ratePerMs: number,
): Promise<{ readonly latency: LatencySummary; readonly meanBatch: number; readonly keepsUp: boolean }> {
  const clock = new SimulatedClock();
  const engine = new TimedEngine(clock);
  const submit = policy.create(engine, clock, largest);
  const latencies = new Latencies();
  const random = seededRandom(1);
  let arrivalMs = 0;
  for (let arrival = 0; arrival < arrivals; arrival++) {
    arrivalMs += -Math.log(1 - random()) / ratePerMs;
    const arrivedMs = arrivalMs;
    clock.at(arrivedMs, () => {
      void submit().then(() => {
        if (arrival >= settling) latencies.record(clock.now() - arrivedMs);
      });
    });
  }
  await clock.run();
  // The queue that is left when the last view comes, as a share of the run.
  const keepsUp = clock.now() < arrivalMs * 1.05;
  return { latency: latencies.summary(), meanBatch: engine.meanBatch, keepsUp };
}
