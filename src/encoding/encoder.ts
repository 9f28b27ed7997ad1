import type { Logger } from 'pino';
import { defaultTerms, type RequestTerms } from '../admission/priority.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { EngineLoss } from '../inference/engine-loss.ts';
import type { Model } from '../model/model.ts';
import type { ImageOutcome } from '../tokens/formats/image-outcome.ts';
import { startDeadline } from './deadline.ts';
import { encodeEach, encodeImages } from './encode-request.ts';
import type { EncoderConfig } from './encoder-config.ts';
import type { EncoderObserver, EncoderReports } from './encoder-observer.ts';
import { type OpenParts, openParts } from './open-parts.ts';
import { planAnswer, validateRequest } from './plan-request.ts';
import type {
  EachRequest,
  EncodeAnswer,
  EncodeRequest,
  EngineCount,
  Outage,
  PlanAnswer,
  PlanRequest,
  VisualEncoder,
} from './request.ts';

/** The encoder behind both transports, with its engines and pools. Refuses everything as `unavailable` until it is open. */
export class Encoder implements VisualEncoder {
  readonly #config: EncoderConfig;
  readonly #reports: EncoderReports;
  #opened: OpenParts | undefined;
  #draining = false;

  /** `onLoss` is called when an engine is down for good. */
  constructor(
    config: EncoderConfig,
    observer: EncoderObserver,
    logger: Logger,
    onLoss: (loss: EngineLoss) => void,
  ) {
    this.#config = config;
    this.#reports = { observer, logger, onLoss, outages: new Map() };
  }

  /** Creates an encoder and opens it. Rejects as `open()` does. */
  static async open(...settings: ConstructorParameters<typeof Encoder>): Promise<Encoder> {
    const encoder = new Encoder(...settings);
    await encoder.open();
    return encoder;
  }

  /**
   * Loads the models, then starts and warms up their engines. Rejects with `invalid_argument` for a folder that is not a model
   * folder, and `failed_precondition` for a device that cannot be used.
   */
  async open(): Promise<void> {
    this.#opened = await openParts(this.#config, this.#reports);
  }

  async encode(request: EncodeRequest): Promise<EncodeAnswer> {
    const { limits, end } = this.#startDeadline(request);
    try {
      const answer = await encodeImages(this.#parts, { ...request, ...limits });
      this.#reportAnswer(answer);
      return answer;
    } catch (thrown) {
      this.#reportFailure(ServiceError.from(thrown));
      throw thrown;
    } finally {
      end();
    }
  }

  encodeEach(request: EachRequest): readonly Promise<ImageOutcome<EncodeAnswer>>[] {
    const parts = this.#opened;
    if (parts === undefined) {
      const error = stillStarting();
      return request.images.map(async (_, index) => ({ kind: 'failed', index, error }) as const);
    }
    const { limits, end } = this.#startDeadline(request);
    const outcomes = encodeEach(parts, { ...request, ...limits }).map(async (each) => {
      const outcome = await each;
      if (outcome.kind === 'encoded') this.#reportAnswer(outcome.answer);
      else this.#reportFailure(outcome.error);
      return outcome;
    });
    void Promise.all(outcomes).then(end);
    return outcomes;
  }

  plan(request: PlanRequest): PlanAnswer {
    return planAnswer(this.#parts, request);
  }

  validate(request: Pick<EncodeRequest, 'recipe' | 'options'>): void {
    validateRequest(this.#parts, request);
  }

  /** When to retry a request that did not fit, in milliseconds. Undefined until the encoder is open. */
  retryAfterMs(): number | undefined {
    return this.#opened?.viewBudget.retryAfterMs();
  }

  models(): readonly Model[] {
    return this.#opened?.served.map(({ model }) => model) ?? [];
  }

  engines(): EngineCount {
    const all = this.#opened?.served.flatMap((one) => one.engines()) ?? [];
    return { up: all.filter(({ state }) => state === 'up').length, total: all.length };
  }

  ready(): boolean {
    const parts = this.#opened;
    return (
      parts !== undefined && !this.#draining && !parts.isDown() && parts.served.every((one) => one.isUp())
    );
  }

  outages(): readonly Outage[] {
    if (this.#draining) return [];
    const up = new Set(this.#opened?.served.flatMap((one) => (one.isUp() ? [one.model.name] : [])));
    return [...this.#reports.outages.values()].filter(({ model }) => !up.has(model));
  }

  /** Reports that it is not ready any more. Requests are still answered. */
  drain(): void {
    this.#draining = true;
  }

  async close(): Promise<void> {
    if (this.#opened === undefined) return;
    const { served, viewPool, tokenPool, remoteCache } = this.#opened;
    await Promise.all([
      viewPool.close(),
      tokenPool.close(),
      remoteCache?.close(),
      ...served.map((one) => one.close()),
    ]);
  }

  get #parts(): OpenParts {
    if (this.#opened !== undefined) return this.#opened;
    throw stillStarting();
  }

  /** Applies the service's own time limit to a request. `end` must be called when the request has ended. */
  #startDeadline({ terms = defaultTerms, signal }: Pick<EncodeRequest, 'terms' | 'signal'>) {
    const now = this.#parts.now();
    const limitAt = now + this.#config.requestTimeoutMs;
    const deadlineAt = Math.min(limitAt, terms.deadlineAt ?? limitAt);
    const deadline = startDeadline(signal, Math.max(0, Math.round(deadlineAt - now)));
    const { caller, priority, noStore } = terms;
    const limited = { caller, priority, noStore, deadlineAt } satisfies Required<RequestTerms>;
    const limits = { signal: deadline.signal, terms: limited };
    return { limits, end: deadline.end };
  }

  #reportAnswer({ sources, timings, metadata }: EncodeAnswer): void {
    const { observer } = this.#reports;
    for (const source of sources) observer.observeSource?.(source);
    if (sources.includes('miss')) observer.observeStages?.(timings, metadata.model.name);
  }

  #reportFailure({ bound }: ServiceError): void {
    if (bound !== undefined) this.#reports.observer.observeRefusal?.(bound);
  }
}

function stillStarting(): ServiceError {
  return new ServiceError('unavailable', 'The service is starting: its models are still loading.', {
    retryAfterMs: 1000,
  });
}
