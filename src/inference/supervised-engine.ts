import { ServiceError } from '../errors.ts';
import type { EncodedBatch, Engine } from './engine.ts';
import type { GraphDtype } from '../model/graph-io.ts';

/** Why an engine is of no more use: it ended again and again, or it is stuck in a call that nothing can end. */
export type EngineEnd = 'ended' | 'stuck';

export interface SupervisedEngineOptions {
  /** Starts an engine; `onDown` is called once if it ends by itself. */
  readonly start: (onDown: (error: ServiceError) => void) => Promise<Engine>;
  /** The longest that a batch of so many views may take, in milliseconds; any time when undefined. */
  readonly limitMs: (views: number) => number | undefined;
  /** Told of each engine that is replaced. */
  readonly onReplace?: (error: ServiceError) => void;
  /** Told once when there will be no other engine: the process is then of no use. */
  readonly onDown: (end: EngineEnd, error: ServiceError) => void;
  /** Resolves after a time. */
  readonly wait: (waitMs: number) => Promise<void>;
}

/** Starts in a row that fail, and engines in a row that end without having run a batch: then there is no other. */
export const mostFailedStarts = 5;
export const mostDeaths = 20;

/** Before the second try; it doubles with each, up to the longest. */
const backOffMs = 100;
const longestBackOffMs = 5000;

/** Of a native call: what ONNX Runtime says when the device fails, which poisons the process. */
const deviceFailure = /\b(CUDA|CUBLAS|CUDNN|cuda\w*Error|out of memory on device)\b/;

/**
 * An engine that is replaced when its thread ends. What it was doing is rejected with `internal`, what comes meanwhile waits
 * for the next. A native call that does not come back, and a device that fails, cannot be cured in this process:
 * then everything is rejected at once, and `onDown` is told.
 */
export class SupervisedEngine implements Engine {
  readonly #options: SupervisedEngineOptions;
  #current: Promise<Engine>;
  #isUp = true;
  #closing = false;
  #deaths = 0;
  #end: ServiceError | undefined;
  /** Rejects whoever waits, when there will be no other engine. */
  readonly #waiting = new Set<(error: ServiceError) => void>();
  /** The batches that an engine has, the one that runs first. */
  readonly #running: { readonly views: number }[] = [];
  #watch: NodeJS.Timeout | undefined;

  private constructor(options: SupervisedEngineOptions) {
    this.#options = options;
    this.#current = this.#start();
  }

  /** Rejects as `start` does: what does not start at first is not tried again. */
  static async start(options: SupervisedEngineOptions): Promise<SupervisedEngine> {
    const engine = new SupervisedEngine(options);
    await engine.#current;
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
      const encoded = await engine.encode(views, dtypes);
      this.#deaths = 0;
      return encoded;
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

  #start(): Promise<Engine> {
    return this.#options.start((reason) => this.#onEnd(reason));
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
    this.#deaths++;
    let last = reason;
    for (
      let failedStarts = 0;
      failedStarts < mostFailedStarts && this.#deaths <= mostDeaths;
      failedStarts++
    ) {
      const tries = this.#deaths + failedStarts - 1;
      if (tries > 0) await this.#options.wait(Math.min(longestBackOffMs, backOffMs * 2 ** (tries - 1)));
      if (this.#closing) throw new ServiceError('unavailable', 'The engine is closing.');
      try {
        const engine = await this.#start();
        this.#isUp = true;
        return engine;
      } catch (thrown) {
        last = ServiceError.from(thrown);
      }
    }
    this.#giveUp('ended', last);
    throw this.#end!;
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
  return cause instanceof Error && deviceFailure.test(cause.message);
}
