import { ServiceError } from '../errors/service-error.ts';
import type { EncodedBatch, Engine } from './engine.ts';
import type { GraphDtype } from '../model/graph-io.ts';

/** Why an engine is of no more use: it ended again and again, or it is stuck in a call that nothing can end. */
export type EngineEnd = 'ended' | 'stuck';

export interface SupervisedEngineOptions {
  /** Starts an engine; `onDown` is called once if it ends by itself. */
  readonly start: (onDown: (error: ServiceError) => void) => Promise<Engine>;
  /** The longest that a batch of so many views may take, in milliseconds; any time when undefined. */
  readonly limitMs: (views: number) => number | undefined;
  /** The longest that the first engine may take to start. */
  readonly firstLimitMs: number;
  /** The longest that an engine which replaces another may take to start and to run one view. */
  readonly replaceLimitMs: () => number;
  /** A view that any engine which is of use can run. */
  readonly probe: () => Uint8Array<ArrayBuffer>;
  /** Told of each engine that is replaced. */
  readonly onReplace?: (error: ServiceError) => void;
  /** Told once when there will be no other engine: the process is then of no use. */
  readonly onDown: (end: EngineEnd, error: ServiceError) => void;
  /** Resolves after a time. */
  readonly wait: (waitMs: number) => Promise<void>;
}

/** Starts in a row that fail: then there is no other. One that starts and cannot run the probe counts among them. */
export const mostFailedStarts = 5;

/** Before the second try; it doubles with each. */
const backOffMs = 500;

/** Of a native call: what ONNX Runtime says when the device fails, which poisons the process. */
const deviceFailure = /\b(CUDA|CUBLAS|CUDNN|cuda\w*Error)\b/;

/** A batch that is too large for the device's memory harms nothing else: its views are tried one by one. */
const outOfMemory = /out of memory|ALLOC_FAILED/i;

/**
 * An engine that is replaced when its thread ends. What it was doing is rejected with `internal`, what comes
 * meanwhile waits for the next, which has run a view of its own before: pictures that end engines cannot end the
 * process. A native call that does not come back, and a device that fails, cannot be cured in this process:
 * then everything is rejected at once, and `onDown` is told.
 */
export class SupervisedEngine implements Engine {
  readonly #options: SupervisedEngineOptions;
  #current: Promise<Engine>;
  #isUp = true;
  #closing = false;
  #end: ServiceError | undefined;
  /** Rejects whoever waits, when there will be no other engine. */
  readonly #waiting = new Set<(error: ServiceError) => void>();
  /** The batches that an engine has, the one that runs first. */
  readonly #running: { readonly views: number }[] = [];
  #watch: NodeJS.Timeout | undefined;
  #startWatch: NodeJS.Timeout | undefined;

  private constructor(options: SupervisedEngineOptions) {
    this.#options = options;
    this.#current = options.start((reason) => this.#onEnd(reason));
  }

  /** Rejects as `start` does: what does not start at first is not tried again. */
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

  /** Whether there is an engine that takes work now. */
  get isUp(): boolean {
    return this.#isUp && this.#end === undefined;
  }

  async encode(
    views: readonly Uint8Array<ArrayBuffer>[],
    dtypes: readonly GraphDtype[],
  ): Promise<EncodedBatch> {
    if (this.#end !== undefined) throw this.#end;
    return await new Promise<EncodedBatch>((resolve, reject) => {
      this.#waiting.add(reject);
      void this.#run(views, dtypes)
        .then(resolve, reject)
        .finally(() => this.#waiting.delete(reject));
    });
  }

  /** Ends the engine, after the native call under way; one that is stuck is left. */
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
    dtypes: readonly GraphDtype[],
  ): Promise<EncodedBatch> {
    const engine = await this.#current;
    const batch = { views: views.length };
    this.#running.push(batch);
    if (this.#running.length === 1) this.#watchNext();
    try {
      return await engine.encode(views, dtypes);
    } catch (thrown) {
      const error = ServiceError.from(thrown);
      if (isOfDevice(error)) this.#giveUp('ended', error);
      // To the caller this is the image's failure: the next image is encoded.
      throw error.code === 'unavailable' && !this.#closing
        ? new ServiceError('internal', 'The engine ended while it ran this image.', { cause: error.cause })
        : error;
    } finally {
      const place = this.#running.indexOf(batch);
      if (place !== -1) this.#running.splice(place, 1);
      this.#watchNext();
    }
  }

  /** An engine has ended by itself. */
  #onEnd(reason: ServiceError): void {
    if (this.#closing || this.#end !== undefined) return;
    this.#isUp = false;
    this.#running.length = 0;
    this.#options.onReplace?.(reason);
    this.#current = this.#replace(reason);
    // Whoever has work waits for the next engine, and nobody may; what went wrong is told to `onDown`.
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

  /** An engine that has run the probe. One that does so too late is stuck, as is the process with it. */
  async #startAndProve(): Promise<Engine> {
    this.#watchStart(this.#options.replaceLimitMs());
    let isProved = false;
    try {
      const engine = await this.#options.start((reason) => {
        // Of one that ends before, the probe or the start itself fails.
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
      const cause = new Error(`The engine has not started for ${Math.round(limitMs)} ms.`);
      this.#giveUp('stuck', new ServiceError('unavailable', 'The engine is stuck.', { cause }));
    }, limitMs);
  }

  /** Has the batch that runs now watched. */
  #watchNext(): void {
    clearTimeout(this.#watch);
    const [batch] = this.#running;
    if (batch === undefined || this.#closing || this.#end !== undefined) return;
    const { views } = batch;
    const limitMs = this.#options.limitMs(views);
    if (limitMs === undefined) return;
    this.#watch = setTimeout(() => {
      const message = `A batch of ${views} views has not come back from the engine for ${Math.round(limitMs)} ms.`;
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
