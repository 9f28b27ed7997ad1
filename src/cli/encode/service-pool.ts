import { ServiceError } from '../../errors/service-error.ts';
import type { ServiceAnswer, ServiceConnection } from './service-connection.ts';

/** Resolves after a time. Rejects when the signal fires. */
export type Wait = (waitMs: number, signal: AbortSignal) => Promise<unknown>;

export interface ServicePoolOptions {
  /** How long a request is repeated. */
  readonly retryMs: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  readonly wait: Wait;
}

interface Service {
  readonly connection: Pick<ServiceConnection, 'url' | 'ask'>;
  underWay: number;
  /** Pauses since its last answer. */
  pauses: number;
  /** Not asked before this time. */
  pausedUntil: number;
}

const shortestPauseMs = 500;
const longestPauseMs = 8_000;
/** The longest pause that a service may ask for. */
const longestAskedMs = 120_000;

/**
 * Spreads requests over services. A service that cannot be reached, or has no room, gets none for as long as it says, or
 * for half a second, doubled each time; its requests are repeated, there or at another service.
 */
export class ServicePool {
  readonly #services: readonly Service[];
  readonly #options: ServicePoolOptions;
  /** When a service last gave an answer or a refusal for good. */
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(connections: readonly Service['connection'][], options: ServicePoolOptions) {
    this.#services = connections.map((connection) => ({
      connection,
      underWay: 0,
      pauses: 0,
      pausedUntil: Number.NEGATIVE_INFINITY,
    }));
    this.#options = options;
  }

  /**
   * Sends a request until a service answers it. Rejects with the service's error; after `retryMs` without an answer with
   * `deadline_exceeded`, or with `unavailable` if no service has answered any request in that time.
   */
  async ask(path: string, body: Uint8Array | undefined, signal: AbortSignal): Promise<ServiceAnswer> {
    const { retryMs, now, wait } = this.#options;
    const startMs = now();
    for (;;) {
      const service = this.#choose();
      const pauseMs = service.pausedUntil - now();
      if (pauseMs > 0) {
        // Those that wait do not come back all at once.
        await wait(pauseMs * (1 + Math.random() / 4), signal);
        continue;
      }
      service.underWay += 1;
      const sentMs = now();
      const outcome = await service.connection.ask(path, body, signal).finally(() => (service.underWay -= 1));
      if ('answer' in outcome || !outcome.refusal.isTemporary) {
        service.pauses = 0;
        this.#answeredAt = now();
        if ('answer' in outcome) return outcome.answer;
        throw outcome.refusal.error;
      }
      const { error, retryAfterMs } = outcome.refusal;
      this.#pause(service, sentMs, retryAfterMs);
      if (now() - startMs >= retryMs) throw this.#givenUp(error, startMs);
    }
  }

  /** The service that is free the soonest, and of those the one with the fewest requests. */
  #choose(): Service {
    const nowMs = this.#options.now();
    const freeAt = ({ pausedUntil }: Service) => Math.max(pausedUntil, nowMs);
    const [best] = this.#services.toSorted((a, b) => freeAt(a) - freeAt(b) || a.underWay - b.underWay);
    if (best === undefined) throw new Error('a pool without services');
    return best;
  }

  /** Requests that were under way together count as one failure: those that were sent before its pause change nothing. */
  #pause(service: Service, sentMs: number, askedMs: number | undefined): void {
    if (sentMs < service.pausedUntil) return;
    const nowMs = this.#options.now();
    const usualMs = Math.min(longestPauseMs, shortestPauseMs * 2 ** service.pauses);
    service.pauses += 1;
    service.pausedUntil = nowMs + Math.min(longestAskedMs, askedMs ?? usualMs);
  }

  #givenUp(error: ServiceError, startMs: number): ServiceError {
    const { now, retryMs } = this.#options;
    const seconds = Math.round((now() - startMs) / 1000);
    const others = this.#answeredAt > startMs;
    const tried = retryMs === 0 ? '' : ` Tried for ${seconds} s (--retry-ms).`;
    return new ServiceError(others ? 'deadline_exceeded' : 'unavailable', error.message + tried, {
      cause: error,
    });
  }
}
