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
  /** When it last gave an answer, or a refusal for good. */
  answeredAt: number;
  /** Pauses since then. */
  pauses: number;
  /** Not asked before this time. */
  pausedUntil: number;
}

const shortestPauseMs = 500;
const longestPauseMs = 8_000;
/** The longest pause that a service may ask for. */
const longestAskedMs = 120_000;
/** After so many refusals a request fails, if services answer other requests. */
const mostRefusals = 6;

/**
 * Spreads requests over services. A service that sends Retry-After, or answers nothing at all, gets no request for as long as
 * it says, or for half a second, doubled each time. A request that is refused while its service answers others waits alone:
 * half a second, doubled each time. Refused requests are sent again, to any service.
 */
export class ServicePool {
  readonly #services: readonly Service[];
  readonly #options: ServicePoolOptions;
  constructor(connections: readonly Service['connection'][], options: ServicePoolOptions) {
    this.#services = connections.map((connection) => ({
      connection,
      underWay: 0,
      answeredAt: Number.NEGATIVE_INFINITY,
      pauses: 0,
      pausedUntil: Number.NEGATIVE_INFINITY,
    }));
    this.#options = options;
  }

  /**
   * Sends a request until a service answers it. Rejects with the service's error. Rejects with `deadline_exceeded` `retryMs`
   * after it was first sent, or after six refusals while services answer other requests; with `unavailable` after `retryMs` in
   * which no service has answered any request.
   */
  async ask(path: string, body: Uint8Array | undefined, signal: AbortSignal): Promise<ServiceAnswer> {
    const { retryMs, now, wait } = this.#options;
    let service = await this.#free(signal);
    const startMs = now();
    const endMs = startMs + retryMs;
    /** When this request was last refused, or first sent. */
    let sinceMs = startMs;
    let refusals = 0;
    for (;;) {
      service.underWay += 1;
      const sentMs = now();
      const outcome = await service.connection.ask(path, body, signal).finally(() => (service.underWay -= 1));
      if ('answer' in outcome || !outcome.refusal.isTemporary) {
        service.pauses = 0;
        service.answeredAt = now();
        if ('answer' in outcome) return outcome.answer;
        throw outcome.refusal.error;
      }
      const { error, retryAfterMs } = outcome.refusal;
      // A service that has answered a moment ago works, even if nothing was answered during this request.
      const works = service.answeredAt > Math.min(sinceMs, now() - shortestPauseMs);
      const isAlone = works && retryAfterMs === undefined;
      if (isAlone) refusals += 1;
      else this.#pause(service, sentMs, retryAfterMs);
      if (now() >= endMs) throw this.#outOfTime(error, startMs);
      if (refusals === mostRefusals) throw refusedAlone(error);
      sinceMs = now();
      if (isAlone) await wait(Math.min(spread(pauseMs(refusals - 1)), endMs - now()), signal);
      service = await this.#free(signal, endMs);
    }
  }

  /** Waits until a service may be asked, but no longer than until `endMs`. */
  async #free(signal: AbortSignal, endMs = Number.POSITIVE_INFINITY): Promise<Service> {
    const { now, wait } = this.#options;
    for (;;) {
      const service = this.#choose();
      const leftMs = Math.min(service.pausedUntil, endMs) - now();
      if (leftMs <= 0) return service;
      await wait(Math.min(spread(leftMs), endMs - now()), signal);
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
    const waitMs = Math.min(longestAskedMs, askedMs ?? pauseMs(service.pauses));
    service.pauses += 1;
    service.pausedUntil = this.#options.now() + waitMs;
  }

  #outOfTime(error: ServiceError, startMs: number): ServiceError {
    const { now, retryMs } = this.#options;
    const seconds = Math.round((now() - startMs) / 1000);
    const others = this.#services.some(({ answeredAt }) => answeredAt > startMs);
    const tried = retryMs === 0 ? '' : ` Tried for ${seconds} s (--retry-ms).`;
    return new ServiceError(others ? 'deadline_exceeded' : 'unavailable', error.message + tried, {
      cause: error,
    });
  }
}

function refusedAlone(error: ServiceError): ServiceError {
  const message = `${error.message} Refused ${mostRefusals} times, while other requests were answered.`;
  return new ServiceError('deadline_exceeded', message, { cause: error });
}

function pauseMs(earlierPauses: number): number {
  return Math.min(longestPauseMs, shortestPauseMs * 2 ** earlierPauses);
}

/** A wait that differs from request to request, so that they are not sent again all at once. */
function spread(waitMs: number): number {
  return waitMs * (1 + Math.random() / 4);
}
