import { defaultTerms } from '../../src/admission/priority.ts';
import { BatchTimes } from '../../src/inference/batch-times.ts';
import { Batcher } from '../../src/inference/batcher.ts';
import type { Engine } from '../../src/inference/engine.ts';
import { splitTokens } from '../../src/tokens/token-tasks.ts';
import type { SimulatedClock } from './clock.ts';

/** Takes one view and settles when its tokens are there. */
export type Submit = () => Promise<void>;

/** A way to form batches of at most `largest` for an engine. */
export interface Policy {
  readonly name: string;
  readonly create: (engine: Engine, clock: SimulatedClock, largest: number) => Submit;
}

const view = new Uint8Array(1);

/** The service's own batcher, as it is. */
const workConserving: Policy = {
  name: 'the service',
  create: (engine, clock, largest) => {
    const batcher = new Batcher({
      engines: [{ name: 'stub', engine, times: new BatchTimes(), largest, fixed: true }],
      split: async (tokens, views) => splitTokens(tokens, views),
      now: clock.now,
    });
    const permit = { views: 1, begin: () => undefined, release: () => undefined, ...defaultTerms };
    return async () => {
      await batcher.encode(permit, [view], { outputs: ['float16'] }, new AbortController().signal);
    };
  },
};

/**
 * Waits until `windowMs` have passed since the first view came or `largest` are there, then forms a batch: `late`,
 * when the engine has become free as well, as Triton's dynamic batcher does; otherwise at once, behind the batches
 * that wait for the engine already, as a timer in a handler does.
 */
function windowed(name: string, windowMs: number, late: boolean): Policy {
  return {
    name,
    create: (engine, clock, largest) => {
      const waiting: { readonly joinedAtMs: number; readonly resolve: () => void }[] = [];
      let running = 0;
      const handOver = (): void => {
        for (;;) {
          const [first] = waiting;
          if (first === undefined || (late && running > 0)) return;
          const isDue = clock.now() - first.joinedAtMs >= windowMs;
          if (waiting.length < largest && !isDue) return;
          const batch = waiting.splice(0, largest);
          running++;
          void engine
            .encode(
              batch.map(() => view),
              ['float16'],
            )
            .then(() => {
              running--;
              for (const { resolve } of batch) resolve();
              handOver();
            });
        }
      };
      return () =>
        new Promise((resolve) => {
          waiting.push({ joinedAtMs: clock.now(), resolve });
          // A window without end has no timer: such a policy waits for a full batch.
          if (Number.isFinite(windowMs)) clock.after(windowMs, handOver);
          handOver();
        });
    },
  };
}

export const policies: readonly Policy[] = [
  workConserving,
  windowed('5 ms window, engine free', 5, true),
  windowed('5 ms window', 5, false),
  windowed('fixed size', Number.POSITIVE_INFINITY, false),
];
