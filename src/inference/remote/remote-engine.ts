import { ServiceError } from '../../errors/service-error.ts';
import type { GraphOutput } from '../../model/graph-io.ts';
import { freeBuffers } from '../../threads/transfer.ts';
import type { EncodedBatch, Engine, EngineState } from '../engine.ts';
import type { RemoteAccess } from './access.ts';
import type { Endpoint } from './endpoint.ts';
import { EngineDown } from './engine-down.ts';
import type { ExaminedModel, WantedModel } from './examine-model.ts';
import { RemoteThread } from './remote-thread.ts';

export interface RemoteEngineOptions {
  readonly endpoint: Endpoint;
  readonly access: RemoteAccess;
  readonly wanted: WantedModel;
  /** How many batches the server runs at one time. */
  readonly parallel: number;
  /** The longest time for a batch of this many views, in milliseconds. */
  readonly limitMs: (views: number) => number;
  /** After this time a batch may be tried on another engine; undefined if that is not known. */
  readonly lateMs: (views: number) => number | undefined;
  /** Runs views on a server whose model fits. Rejects if the server cannot be used. */
  readonly prove: (engine: Pick<Engine, 'encode'>, examined: ExaminedModel) => Promise<void>;
  /** Called whenever the engine begins to take batches. */
  readonly onUp: (examined: ExaminedModel) => void;
  /** Called when it stops taking batches or cannot begin: for each new reason, and again after `repeatMs`. */
  readonly onDown: (error: EngineDown) => void;
  /** Called when the engine's thread dies without a call. Another one takes its place. */
  readonly onThreadError: (error: unknown) => void;
  /** Called when a batch takes much longer than expected. */
  readonly onLate: () => void;
  /** Called whenever the state has changed. */
  readonly onChange: () => void;
  /** Resolves after `waitMs`, or rejects when the signal fires. */
  readonly wait: (waitMs: number, signal: AbortSignal) => Promise<void>;
  readonly now: () => number;
}

/** The wait before the second attempt to connect. It doubles with each further attempt, up to the longest. */
const firstBackOffMs = 250;
const longestBackOffMs = 5000;

/** How long batches wait for a server that is down. After that they are rejected at once. */
export const graceMs = 10_000;

/** How often the reason is reported why a server cannot be used. */
const repeatMs = 60_000;

/** How often a server without work is asked whether it is ready. */
const checkMs = 5000;

/** A connection to a server whose model fits. */
interface Session {
  readonly examined: ExaminedModel;
  /** Fires with the reason when the engine goes down. */
  readonly down: AbortController;
}

/** A batch that the server has. */
interface UnderWay {
  /** When the server could start it; undefined while it has others to finish. */
  startedAt: number | undefined;
  isLate: boolean;
}

/**
 * An engine on a server of the Open Inference Protocol: Triton, OpenVINO Model Server, MLServer, KServe. It connects by
 * itself, examines the server's model and has it run views. When a call fails or takes too long, the engine is down, and
 * connects again and again for as long as it is open.
 */
export class RemoteEngine implements Engine {
  readonly #options: RemoteEngineOptions;
  readonly #thread: RemoteThread;
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;
  readonly #underWay: UnderWay[] = [];
  #session: Session | undefined;
  #isDoubted = false;
  /** Why it takes no batches. */
  #reason: ServiceError = new EngineDown('is not connected yet');
  #state: EngineState = 'down';
  /** Ends the wait for an engine that is down. */
  #outage = new AbortController();

  /** Begins to connect. */
  constructor(options: RemoteEngineOptions) {
    this.#options = options;
    this.#thread = new RemoteThread(options.onThreadError);
    this.#ended = this.#stayConnected();
  }

  /** `ended` once batches no longer wait for it, although it may come back. */
  get state(): EngineState {
    return this.#state === 'up' && this.#underWay.some(({ isLate }) => isLate) ? 'late' : this.#state;
  }

  async encode(
    views: readonly Uint8Array<ArrayBuffer>[],
    outputs: readonly GraphOutput[],
  ): Promise<EncodedBatch> {
    if (this.#session === undefined) throw this.#reason;
    return await this.#run(this.#session, views, outputs);
  }

  async close(): Promise<void> {
    this.#outage.abort();
    this.#state = 'ended';
    this.#reason = new ServiceError('unavailable', 'The engine is closing.');
    this.#closing.abort(this.#reason);
    await this.#ended;
    await this.#thread.close();
  }

  /** Connects until the engine is closed. */
  async #stayConnected(): Promise<void> {
    const { wait, now, onDown } = this.#options;
    const { signal } = this.#closing;
    let attempts = 0;
    let reported: { readonly why: string; readonly at: number } | undefined;
    this.#startGrace();
    for (;;) {
      const error = await this.#beUp(() => {
        attempts = 0;
        reported = undefined;
      });
      if (signal.aborted) return;
      this.#becomeDown(error);
      const why = whyOf(error);
      if (why !== reported?.why || now() - reported.at >= repeatMs) {
        reported = { why, at: now() };
        onDown(error);
      }
      const backOffMs = Math.min(firstBackOffMs * 2 ** attempts++, longestBackOffMs);
      // Several services must not come back to a server all at once.
      await wait(backOffMs * (0.8 + 0.4 * Math.random()), signal).catch(() => undefined);
    }
  }

  /** Connects and takes batches until it goes down. Resolves with the reason. */
  async #beUp(onUp: () => void): Promise<EngineDown> {
    const { endpoint, access, wanted, wait } = this.#options;
    const down = new AbortController();
    const { signal } = this.#closing;
    const close = (): void => down.abort(signal.reason);
    signal.addEventListener('abort', close);
    try {
      signal.throwIfAborted();
      await this.#thread.connect(endpoint, access);
      down.signal.addEventListener('abort', () => {
        this.#session = undefined;
        this.#thread.disconnect();
        this.#becomeDown(downOf(down.signal.reason));
      });
      down.signal.throwIfAborted();
      const examined = await this.#thread.examine(wanted);
      const session = { examined, down };
      await this.#prove(session);
      down.signal.throwIfAborted();
      onUp();
      this.#becomeUp(session);
      for (;;) {
        await wait(checkMs, down.signal);
        await this.#check();
      }
    } catch (thrown) {
      if (!down.signal.aborted) down.abort(thrown);
      return downOf(down.signal.reason);
    } finally {
      signal.removeEventListener('abort', close);
    }
  }

  async #prove(session: Session): Promise<void> {
    const encode: Engine['encode'] = async (views, outputs) => await this.#run(session, views, outputs);
    await this.#options.prove({ encode }, session.examined);
  }

  /** After a failed batch, has the server run views that any server can run, to tell whether the server is at fault. */
  async #doubt(session: Session): Promise<void> {
    if (session !== this.#session || this.#isDoubted) return;
    this.#isDoubted = true;
    try {
      await this.#prove(session);
    } catch (error) {
      session.down.abort(error);
    } finally {
      this.#isDoubted = false;
    }
  }

  #becomeUp(session: Session): void {
    this.#outage.abort();
    this.#session = session;
    this.#state = 'up';
    this.#options.onUp(session.examined);
    this.#options.onChange();
  }

  #becomeDown(error: EngineDown): void {
    if (this.#closing.signal.aborted) return;
    this.#reason = error;
    if (this.#state !== 'up') return;
    this.#state = 'down';
    this.#startGrace();
    this.#options.onChange();
  }

  /** Lets batches wait for the engine for `graceMs`, and then refuses them at once. */
  #startGrace(): void {
    const { wait, onChange } = this.#options;
    this.#outage = new AbortController();
    void wait(graceMs, this.#outage.signal).then(
      () => {
        this.#state = 'ended';
        onChange();
      },
      () => undefined,
    );
  }

  /** Examines the model again, unless batches show whether the server works: it may not answer while it computes. */
  async #check(): Promise<void> {
    if (this.#underWay.length > 0) return;
    try {
      await this.#thread.examine(this.#options.wanted);
    } catch (error) {
      if (this.#underWay.length === 0) throw error;
    }
  }

  async #run(
    session: Session,
    views: readonly Uint8Array<ArrayBuffer>[],
    outputs: readonly GraphOutput[],
  ): Promise<EncodedBatch> {
    const { now, parallel, limitMs, onChange, wanted } = this.#options;
    // Until it starts, the server finishes the batches before it.
    const rounds = 1 + Math.floor(this.#underWay.length / parallel);
    const sentAt = now();
    const batch: UnderWay = { startedAt: rounds === 1 ? sentAt : undefined, isLate: false };
    const watch = this.#watch(batch, views.length, rounds);
    this.#underWay.push(batch);
    try {
      const encoded = await this.#thread.infer(views, {
        wanted,
        outputs,
        largest: session.examined.largest ?? Number.POSITIVE_INFINITY,
        limitMs: rounds * limitMs(views.length),
      });
      if (!freeFinite(views, encoded.finite)) void this.#doubt(session);
      return { ...encoded, engineMs: now() - (batch.startedAt ?? sentAt) };
    } catch (thrown) {
      const error = ServiceError.from(thrown);
      if (error instanceof EngineDown) session.down.abort(error);
      else void this.#doubt(session);
      throw error;
    } finally {
      clearTimeout(watch);
      this.#underWay.splice(this.#underWay.indexOf(batch), 1);
      const next = this.#underWay.find(({ startedAt }) => startedAt === undefined);
      if (next !== undefined) next.startedAt = now();
      if (batch.isLate) onChange();
    }
  }

  #watch(batch: UnderWay, views: number, rounds: number): NodeJS.Timeout | undefined {
    const { lateMs, onLate, onChange } = this.#options;
    const lateAfterMs = lateMs(views);
    if (lateAfterMs === undefined) return undefined;
    return setTimeout(() => {
      batch.isLate = true;
      onLate();
      onChange();
    }, rounds * lateAfterMs);
  }
}

/** Why the engine is down when this was thrown: a batch that any working server runs may have failed. */
function downOf(thrown: unknown): EngineDown {
  if (thrown instanceof EngineDown) return thrown;
  const error = ServiceError.from(thrown);
  return new EngineDown('fails on every image', {
    cause: error.cause instanceof Error ? error.cause : error,
  });
}

/** What is logged of a failure, without numbers: a server's sentence may have times or identifiers. */
function whyOf({ cause }: EngineDown): string {
  return cause.message.replaceAll(/\d+/g, '#');
}

/**
 * Frees the views whose tokens are finite for every output, and returns whether all are. The others may be tried on another
 * engine.
 */
function freeFinite(views: readonly Uint8Array<ArrayBuffer>[], finite: EncodedBatch['finite']): boolean {
  const flags = Object.values(finite);
  const done = views.filter((_, index) => flags.every((each) => each[index] === true));
  freeBuffers(done);
  return done.length === views.length;
}
