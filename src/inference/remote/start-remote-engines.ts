import { setTimeout as wait } from 'node:timers/promises';
import { ServiceError } from '../../errors/service-error.ts';
import { fixedSizes } from '../batch-policy.ts';
import { BatchTimes } from '../batch-times.ts';
import type { Engine } from '../engine.ts';
import type { EngineWork } from '../engine-work.ts';
import type { PoolEngine } from '../pool-engine.ts';
import type { RemoteAccess } from './access.ts';
import { type Endpoint, endpointUrl } from './endpoint.ts';
import type { EngineDown } from './engine-down.ts';
import type { ExaminedModel } from './examine-model.ts';
import { requireFinite, warmUp } from '../warm-up.ts';
import { RemoteEngine } from './remote-engine.ts';

/** The servers that run a model, and how to use them. */
export interface RemoteEngines {
  /** At least one. A server that runs several batches at one time may be named several times. */
  readonly endpoints: readonly Endpoint[];
  readonly access: RemoteAccess;
  /** How many batches a server runs at one time. One more is sent ahead. */
  readonly parallel: number;
  /** Ends the wait for a first server that works. */
  readonly stopping?: AbortSignal | undefined;
}

/** Receives what happens to remote engines, by their names. */
export interface RemoteReports {
  /** A server's model fits, and the engine takes batches. */
  readonly onUp: (engine: string, examined: ExaminedModel) => void;
  /** The engine takes no batches, and connects again and again. */
  readonly onDown: (engine: string, error: EngineDown) => void;
  /** The engine's thread died without a call. Another one takes its place. */
  readonly onThreadError: (engine: string, error: unknown) => void;
  /** A batch takes much longer than expected. */
  readonly onLate: (engine: string) => void;
}

/**
 * Connects to all servers of a model at once, and resolves when one of them works. The others are used as soon as
 * they work. Rejects with `failed_precondition` when every server runs another model. Waits for servers that cannot be
 * reached until `stopping` fires. `onChange` is called when an engine's state changes.
 */
export async function startRemoteEngines(
  work: EngineWork,
  { endpoints, access, parallel, stopping, ...reports }: RemoteEngines & RemoteReports,
  { engineTimeoutMs, warmUpMs }: { readonly engineTimeoutMs: number; readonly warmUpMs: number },
  onChange: () => void,
): Promise<readonly PoolEngine[]> {
  const unfit = new Set<string>();
  let stop: (error?: ServiceError) => void = () => {};
  const oneWorks = new Promise<void>((resolve, reject) => {
    stop = (error) => (error === undefined ? resolve() : reject(error));
  });
  const names = engineNames(endpoints).map((url) => `${work.prefix}${url}`);
  const pool = endpoints.map((endpoint, index): PoolEngine => {
    const name = names[index]!;
    const times = new BatchTimes();
    const engine = new RemoteEngine({
      endpoint,
      access,
      parallel,
      limitMs: (views) => Math.max(engineTimeoutMs, 10 * (times.estimateMs(views) ?? 0)),
      lateMs: (views) => times.lateMs(views),
      wanted: {
        name: `${endpoint.model ?? work.model}${work.suffix}`,
        signature: work.signature,
        digest: work.digest,
      },
      prove: async (proved, { largest = work.largest }) => {
        const limited = { ...work, largest: Math.min(largest, work.largest) };
        await prove(limited, proved, times, warmUpMs);
      },
      onUp(examined) {
        reports.onUp(name, examined);
        stop();
      },
      onDown(error) {
        reports.onDown(name, error);
        if (error.isUnfit) unfit.add(name);
        else unfit.delete(name);
        if (unfit.size === endpoints.length)
          stop(new ServiceError('failed_precondition', error.cause.message));
      },
      onThreadError: (error) => reports.onThreadError(name, error),
      onLate: () => reports.onLate(name),
      onChange,
      wait: async (waitMs, signal) => await wait(waitMs, undefined, { signal, ref: false }),
      now: () => performance.now(),
    });
    const { largest, fixed } = work;
    const sizes = fixedSizes(largest);
    return { name, engine, times, largest, sizes, fixed, parallel, state: () => engine.state };
  });
  const stopped = new ServiceError('unavailable', 'The service stops before a remote engine works.');
  try {
    await unlessAborted(oneWorks, stopping, () => stop(stopped));
  } catch (error) {
    await Promise.all(pool.map(({ engine }) => engine.close()));
    throw error;
  }
  return pool;
}

/** Waits for `promise`, and calls `onAbort` if the signal fires before it settles. */
async function unlessAborted(
  promise: Promise<void>,
  signal: AbortSignal | undefined,
  onAbort: () => void,
): Promise<void> {
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort);
  try {
    await promise;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Measures a server's batches at the first connection, and has it run one view at every connection. */
async function prove(
  work: EngineWork,
  engine: Pick<Engine, 'encode'>,
  times: BatchTimes,
  budgetMs: number,
): Promise<void> {
  if (times.entries().length === 0) await warmUp(engine, times, { ...work, budgetMs });
  requireFinite(await engine.encode([work.probe()], [work.output]), work.output);
}

/** The engines' names: the endpoints as they were written, numbered where one is named several times. */
export function engineNames(endpoints: readonly Endpoint[]): readonly string[] {
  const urls = endpoints.map(endpointUrl);
  return urls.map((url, index) => {
    const isRepeated = urls.indexOf(url) !== urls.lastIndexOf(url);
    const place = urls.slice(0, index).filter((other) => other === url).length;
    return isRepeated ? `${url}#${place}` : url;
  });
}
