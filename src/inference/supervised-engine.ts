import { ServiceError } from '../errors/service-error.ts';
import type { GraphOutput } from '../model/graph-io.ts';
import type { EncodedBatch, Engine, EngineState } from './engine.ts';
import type { EngineEnd } from './engine-loss.ts';
import { requireFinite } from './warm-up.ts';

export interface SupervisedEngineOptions {
  /** Starts an engine, which calls `onDown` once if it ends unexpectedly. */
  readonly start: (onDown: (error: ServiceError) => void) => Promise<Engine>;
  /** The longest time for a batch of this many views, in milliseconds. */
  readonly limitMs: (views: number) => number;
  /** After this time a batch is late, and other engines should take over; never when undefined. */
  readonly lateMs: (views: number) => number | undefined;
  /** The longest time for the first engine to start. */
  readonly firstLimitMs: number;
  /** The longest time for a replacement to start and to run one view. */
  readonly replaceLimitMs: () => number;
  /** A view that any working engine can run, and gives finite tokens for. */
  readonly probe: () => Uint8Array<ArrayBuffer>;
  /** Called for each engine that is replaced. */
  readonly onReplace?: (error: ServiceError) => void;
  /** Called once when there will be no other engine. */
  readonly onDown: (end: EngineEnd, error: ServiceError) => void;
  /** Called when a batch is late. */
  readonly onLate?: () => void;
  /** Called after each change of `state`. */
  readonly onChange?: () => void;
  /** Resolves after `waitMs`. */
  readonly wait: (waitMs: number) => Promise<void>;
}

/** After this many failed starts in a row, no engine is started again. A failed probe counts as a failed start. */
export const mostFailedStarts = 5;

/** The wait before the second attempt. It doubles with each further attempt. */
const backOffMs = 500;

/** What a probe asks for. A float16 may overflow for want of range; a float32 that is not finite is a fault. */
const probeOutput: GraphOutput = 'float32';

/** ONNX Runtime's message when the device fails, after which no native call on it works. */
const deviceFailure = /\b(CUDA|CUBLAS|CUDNN|cuda\w*Error)\b/;

/** Its message when a batch is too large for the device's memory. The device still works: the views run one by one. */
const outOfMemory = /out of memory|ALLOC_FAILED/i;

/** A call of `encode` that has not settled. */
interface Call {
  readonly views: number;
  /** Rejects it at once. */
  abandon?: (error: ServiceError) => void;
}

/**
 * An engine that is replaced when its thread ends. Its running batches are rejected with `internal`; later ones wait for
 * the replacement. A replacement must run a probe view first, and only failed starts and probes count against it, so
 * images that end engines cannot end it for good. An engine that fails a batch, or gives tokens that are not finite, must
 * run the probe as well, and is replaced if it cannot.
 *
 * A native call that never returns and a device that fails cannot be cured within the process. Then all batches are
 * rejected at once, and `onDown` is called.
 */
export class SupervisedEngine implements Engine {
  readonly #options: SupervisedEngineOptions;
  #current: Promise<Engine>;
  /** Counts the replacements. */
  #generation = 0;
  #isUp = true;
  #isLate = false;
  #isProving = false;
  #closing = false;
  #end: ServiceError | undefined;
  readonly #calls = new Set<Call>();
  /** The calls that the engine has. The first one runs. */
  readonly #running: Call[] = [];
  #watch: NodeJS.Timeout | undefined;
  #startWatch: NodeJS.Timeout | undefined;

  private constructor(options: SupervisedEngineOptions) {
    this.#options = options;
    this.#current = options.start((reason) => this.#onEnd(reason));
  }

  /** Rejects as `start` does. The first engine is started only once. */
  static async start(options: SupervisedEngineOptions): Promise<SupervisedEngine> {
    const engine = new SupervisedEngine(options);
    engine.#watchStart(options.firstLimitMs);
    const call = { views: 0 };
    try {
      await engine.#call(call, () => engine.#current);
    } finally {
      clearTimeout(engine.#startWatch);
      engine.#calls.delete(call);
    }
    return engine;
  }

  get state(): EngineState {
    if (this.#end !== undefined || this.#closing) return 'ended';
    if (!this.#isUp) return 'down';
    return this.#isLate ? 'late' : 'up';
  }

  async encode(
    views: readonly Uint8Array<ArrayBuffer>[],
    outputs: readonly GraphOutput[],
  ): Promise<EncodedBatch> {
    if (this.#end !== undefined) throw this.#end;
    const call: Call = { views: views.length };
    try {
      const encoded = await this.#call(call, async () => {
        const engine = await this.#current;
        // Nobody waits for a call that was abandoned meanwhile.
        if (!this.#calls.has(call)) throw new Error('abandoned');
        if (this.#running.push(call) === 1) this.#watchNext();
        return await engine.encode(views, outputs);
      });
      if (Object.values(encoded.finite).some((flags) => flags.includes(false))) void this.#prove();
      return encoded;
    } catch (thrown) {
      throw this.#failure(ServiceError.from(thrown));
    } finally {
      this.#finish(call);
    }
  }

  /** Ends the engine after the running native call. A stuck engine is left alone. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#watch);
    clearTimeout(this.#startWatch);
    if (this.#end !== undefined) return;
    this.#abandonAll(new ServiceError('unavailable', 'The engine is closing.'));
    const engine = await this.#current.catch(() => undefined);
    await engine?.close();
  }

  /** Ends as `work` does, or when it is abandoned. */
  #call<Result>(call: Call, work: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      call.abandon = reject;
      this.#calls.add(call);
      work().then(resolve, reject);
    });
  }

  #finish(call: Call): void {
    this.#calls.delete(call);
    const place = this.#running.indexOf(call);
    if (place === -1) return;
    this.#running.splice(place, 1);
    if (place > 0) return;
    this.#setLate(false);
    this.#watchNext();
  }

  /** What the caller is told of a failed run. */
  #failure(error: ServiceError): ServiceError {
    if (isOfDevice(error)) this.#giveUp('ended', error);
    if (this.#end !== undefined) return this.#end;
    if (this.#closing) return error;
    if (error.code === 'internal') void this.#prove();
    if (error.code !== 'unavailable') return error;
    // For the caller the image has failed, not the service: the next image will be encoded.
    const { cause } = error;
    return new ServiceError('internal', 'The engine ended while it was running this image.', { cause });
  }

  /** Has the engine run the probe, and replaces it if it cannot. */
  async #prove(): Promise<void> {
    if (this.#isProving || this.state !== 'up') return;
    this.#isProving = true;
    const generation = this.#generation;
    const engine = await this.#current;
    try {
      requireFinite(await this.encode([this.#options.probe()], [probeOutput]), probeOutput);
    } catch (thrown) {
      // If it has ended meanwhile, it is replaced already.
      if (generation === this.#generation && this.#end === undefined && !this.#closing) {
        this.#onEnd(ServiceError.from(thrown));
        void engine.close();
      }
    } finally {
      this.#isProving = false;
    }
  }

  /** Handles an engine that ended unexpectedly, or that is not to be used any more. */
  #onEnd(reason: ServiceError): void {
    if (this.#closing || this.#end !== undefined) return;
    this.#generation++;
    this.#isUp = false;
    this.#isLate = false;
    this.#running.length = 0;
    this.#watchNext();
    this.#options.onReplace?.(reason);
    this.#current = this.#replace(reason);
    // Nobody may be waiting for the replacement; `onDown` reports its failure.
    this.#current.catch(() => undefined);
    this.#options.onChange?.();
  }

  async #replace(reason: ServiceError): Promise<Engine> {
    let last = reason;
    for (let failedStarts = 0; failedStarts < mostFailedStarts; failedStarts++) {
      if (failedStarts > 0) await this.#options.wait(backOffMs * 2 ** (failedStarts - 1));
      if (this.#closing) throw new ServiceError('unavailable', 'The engine is closing.');
      try {
        const engine = await this.#startAndProve();
        this.#isUp = true;
        this.#options.onChange?.();
        return engine;
      } catch (thrown) {
        last = ServiceError.from(thrown);
      }
    }
    this.#giveUp('ended', last);
    throw this.#end!;
  }

  /** Starts an engine that runs the probe. If that takes too long, the engine counts as stuck. */
  async #startAndProve(): Promise<Engine> {
    this.#watchStart(this.#options.replaceLimitMs());
    let isProved = false;
    try {
      const engine = await this.#options.start((reason) => {
        // If the engine ends earlier, the start or the probe fails.
        if (isProved) this.#onEnd(reason);
      });
      try {
        requireFinite(await engine.encode([this.#options.probe()], [probeOutput]), probeOutput);
      } catch (thrown) {
        await engine.close();
        throw thrown;
      }
      isProved = true;
      return engine;
    } finally {
      clearTimeout(this.#startWatch);
    }
  }

  #watchStart(limitMs: number): void {
    this.#startWatch = setTimeout(() => {
      this.#giveUpStuck(`The engine did not start within ${Math.round(limitMs)} ms.`);
    }, limitMs);
  }

  /** Sets the time limits of the running batch. */
  #watchNext(): void {
    clearTimeout(this.#watch);
    const [call] = this.#running;
    if (call === undefined || this.#closing || this.#end !== undefined) return;
    const { views } = call;
    const limitMs = this.#options.limitMs(views);
    const lateMs = this.#options.lateMs(views) ?? limitMs;
    const stop = (): void => {
      this.#giveUpStuck(
        `The engine did not finish a batch of ${views} views within ${Math.round(limitMs)} ms.`,
      );
    };
    const warn = (): void => {
      this.#watch = setTimeout(stop, limitMs - lateMs);
      this.#setLate(true);
    };
    this.#watch = lateMs < limitMs ? setTimeout(warn, lateMs) : setTimeout(stop, limitMs);
  }

  #setLate(isLate: boolean): void {
    if (this.#isLate === isLate) return;
    this.#isLate = isLate;
    if (isLate) this.#options.onLate?.();
    this.#options.onChange?.();
  }

  #giveUpStuck(message: string): void {
    const cause = new Error(message);
    this.#giveUp('stuck', new ServiceError('unavailable', 'The engine is stuck.', { cause }));
  }

  #giveUp(end: EngineEnd, reason: ServiceError): void {
    if (this.#end !== undefined) return;
    this.#end = new ServiceError('unavailable', 'The engine is down.', { cause: reason.cause ?? reason });
    this.#isLate = false;
    clearTimeout(this.#watch);
    this.#abandonAll(this.#end);
    this.#options.onDown(end, this.#end);
    this.#options.onChange?.();
  }

  #abandonAll(error: ServiceError): void {
    for (const { abandon } of this.#calls) abandon?.(error);
    this.#calls.clear();
  }
}

function isOfDevice({ cause }: ServiceError): boolean {
  return cause instanceof Error && deviceFailure.test(cause.message) && !outOfMemory.test(cause.message);
}
