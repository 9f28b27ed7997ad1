import { ServiceError } from '../errors/service-error.ts';
import type { EncodedBatch, Engine } from './engine.ts';
import type { GraphOutput } from '../model/graph-io.ts';

/** Why an engine is down for good: it ended again and again, or it is stuck in a call that cannot be interrupted. */
export type EngineEnd = 'ended' | 'stuck';

export interface SupervisedEngineOptions {
  /** Starts an engine, which calls `onDown` once if it ends unexpectedly. */
  readonly start: (onDown: (error: ServiceError) => void) => Promise<Engine>;
  /** The longest time for a batch of this many views, in milliseconds; no limit when undefined. */
  readonly limitMs: (views: number) => number | undefined;
  /** The longest time for the first engine to start. */
  readonly firstLimitMs: number;
  /** The longest time for a replacement to start and to run one view. */
  readonly replaceLimitMs: () => number;
  /** A view that any working engine can run. */
  readonly probe: () => Uint8Array<ArrayBuffer>;
  /** Called for each engine that is replaced. */
  readonly onReplace?: (error: ServiceError) => void;
  /** Called once when there will be no other engine. The process is then of no use. */
  readonly onDown: (end: EngineEnd, error: ServiceError) => void;
  /** Resolves after `waitMs`. */
  readonly wait: (waitMs: number) => Promise<void>;
}

/** After this many failed starts in a row, no engine is started again. A failed probe counts as a failed start. */
export const mostFailedStarts = 5;

/** The wait before the second attempt. It doubles with each further attempt. */
const backOffMs = 500;

/** ONNX Runtime's message when the device fails, after which no native call in this process works. */
const deviceFailure = /\b(CUDA|CUBLAS|CUDNN|cuda\w*Error)\b/;

/** Its message when a batch is too large for the device's memory. The device still works: the views run one by one. */
const outOfMemory = /out of memory|ALLOC_FAILED/i;

/**
 * An engine that is replaced when its thread ends. Its running batches are rejected with `internal`; later ones wait for
 * the replacement. A replacement must run a probe view first, and only failed starts and probes count against it, so
 * images that end engines cannot end the process.
 *
 * A native call that never returns and a device that fails cannot be cured within the process. Then all batches are
 * rejected at once, and `onDown` is called.
 */
export class SupervisedEngine implements Engine {
  readonly #options: SupervisedEngineOptions;
  #current: Promise<Engine>;
  #isUp = true;
  #closing = false;
  #end: ServiceError | undefined;
  /** The reject functions of all unfinished calls. */
  readonly #waiting = new Set<(error: ServiceError) => void>();
  /** The batches that the engine has. The first one runs. */
  readonly #running: { readonly views: number }[] = [];
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
    await new Promise((resolve, reject) => {
      engine.#waiting.add(reject);
      void engine.#current.then(resolve, reject).finally(() => {
        clearTimeout(engine.#startWatch);
        engine.#waiting.delete(reject);
      });
    });
    return engine;
  }

  /** Whether an engine accepts work now. */
  get isUp(): boolean {
    return this.#isUp && this.#end === undefined;
  }

  async encode(
    views: readonly Uint8Array<ArrayBuffer>[],
    outputs: readonly GraphOutput[],
  ): Promise<EncodedBatch> {
    if (this.#end !== undefined) throw this.#end;
    return await new Promise<EncodedBatch>((resolve, reject) => {
      this.#waiting.add(reject);
      void this.#run(views, outputs)
        .then(resolve, reject)
        .finally(() => this.#waiting.delete(reject));
    });
  }

  /** Ends the engine after the running native call. A stuck engine is left alone. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#watch);
    clearTimeout(this.#startWatch);
    if (this.#end !== undefined) return;
    this.#rejectAll(new ServiceError('unavailable', 'The engine is closing.'));
    const engine = await this.#current.catch(() => undefined);
    await engine?.close();
  }

  async #run(
    views: readonly Uint8Array<ArrayBuffer>[],
    outputs: readonly GraphOutput[],
  ): Promise<EncodedBatch> {
    const engine = await this.#current;
    const batch = { views: views.length };
    this.#running.push(batch);
    if (this.#running.length === 1) this.#watchNext();
    try {
      return await engine.encode(views, outputs);
    } catch (thrown) {
      const error = ServiceError.from(thrown);
      if (isOfDevice(error)) this.#giveUp('ended', error);
      // For the caller the image has failed, not the service: the next image will be encoded.
      throw error.code === 'unavailable' && !this.#closing
        ? new ServiceError('internal', 'The engine ended while it was running this image.', {
            cause: error.cause,
          })
        : error;
    } finally {
      const place = this.#running.indexOf(batch);
      if (place !== -1) this.#running.splice(place, 1);
      this.#watchNext();
    }
  }

  /** Handles an engine that ended unexpectedly. */
  #onEnd(reason: ServiceError): void {
    if (this.#closing || this.#end !== undefined) return;
    this.#isUp = false;
    this.#running.length = 0;
    this.#options.onReplace?.(reason);
    this.#current = this.#replace(reason);
    // Nobody may be waiting for the replacement; `onDown` reports its failure.
    this.#current.catch(() => undefined);
  }

  async #replace(reason: ServiceError): Promise<Engine> {
    let last = reason;
    for (let failedStarts = 0; failedStarts < mostFailedStarts; failedStarts++) {
      if (failedStarts > 0) await this.#options.wait(backOffMs * 2 ** (failedStarts - 1));
      if (this.#closing) throw new ServiceError('unavailable', 'The engine is closing.');
      try {
        const engine = await this.#startAndProve();
        this.#isUp = true;
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
        await engine.encode([this.#options.probe()], ['float16']);
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
      const cause = new Error(`The engine did not start within ${Math.round(limitMs)} ms.`);
      this.#giveUp('stuck', new ServiceError('unavailable', 'The engine is stuck.', { cause }));
    }, limitMs);
  }

  /** Sets the time limit of the running batch. */
  #watchNext(): void {
    clearTimeout(this.#watch);
    const [batch] = this.#running;
    if (batch === undefined || this.#closing || this.#end !== undefined) return;
    const { views } = batch;
    const limitMs = this.#options.limitMs(views);
    if (limitMs === undefined) return;
    this.#watch = setTimeout(() => {
      const message = `The engine did not finish a batch of ${views} views within ${Math.round(limitMs)} ms.`;
      this.#giveUp(
        'stuck',
        new ServiceError('unavailable', 'The engine is stuck.', { cause: new Error(message) }),
      );
    }, limitMs);
  }

  #giveUp(end: EngineEnd, reason: ServiceError): void {
    if (this.#end !== undefined) return;
    this.#end = new ServiceError('unavailable', 'The engine is down.', { cause: reason.cause ?? reason });
    clearTimeout(this.#watch);
    this.#rejectAll(this.#end);
    this.#options.onDown(end, this.#end);
  }

  #rejectAll(error: ServiceError): void {
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
  }
}

function isOfDevice({ cause }: ServiceError): boolean {
  return cause instanceof Error && deviceFailure.test(cause.message) && !outOfMemory.test(cause.message);
}
