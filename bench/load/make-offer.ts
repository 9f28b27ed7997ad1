import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../report/statistics.ts';
import { endpoints, gapsMs } from './arrivals.ts';
import type { Call, Caller, CallerOptions } from './caller.ts';
import { grpcCaller } from './grpc-caller.ts';
import { httpCaller } from './http-caller.ts';
import type { Arrivals, Offer, OfferResult } from './offer.ts';
import { Tally } from './tally.ts';

/**
 * What is due while so many are under way is not sent: a service that keeps everything would have this process end.
 */
const mostUnderWay = 10_000;
/** How long after the window a request may take to end. */
const settleLimitMs = 90_000;
/** How long a client in a closed loop waits after a refusal that says nothing of when to come back, and at most. */
const usualWaitMs = 100;
const longestWaitMs = 1000;

/** Makes the requests of an offer, and resolves when all of them have ended. */
export async function makeOffer(offer: Offer): Promise<OfferResult> {
  const caller = callerOf(offer);
  const startMs = performance.now();
  const maker = new OfferMaker(offer, caller, new Tally(offer, startMs));
  try {
    const { arrivals } = offer;
    if (arrivals.kind === 'closed') await maker.closedLoop(arrivals.clients);
    else await maker.openLoop(arrivals, startMs);
    return await maker.settled();
  } finally {
    caller.close();
  }
}

function callerOf({ place, image, dtype = 'float16', headers = {}, readBytesPerSecond }: Offer): Caller {
  const options: CallerOptions = { image, dtype, headers, readBytesPerSecond };
  return place.transport === 'http' ? httpCaller(place.url, options) : grpcCaller(place.address, options);
}

class OfferMaker {
  readonly #offer: Offer;
  readonly #caller: Caller;
  readonly #tally: Tally;
  readonly #endpoint: () => ReturnType<ReturnType<typeof endpoints>>;
  readonly #chance: () => number;
  readonly #underWay = new Set<Call>();
  readonly #ended = new Set<() => void>();

  constructor(offer: Offer, caller: Caller, tally: Tally) {
    this.#offer = offer;
    this.#caller = caller;
    this.#tally = tally;
    // Each choice has numbers of its own: one more of the one does not change the others.
    this.#endpoint = endpoints(offer.mix, offer.seed + 1);
    this.#chance = seededRandom(offer.seed + 2);
  }

  /** Sends what is due at its time, whatever became of what was sent before. */
  async openLoop(arrivals: Exclude<Arrivals, { kind: 'closed' }>, startMs: number): Promise<void> {
    const gap = gapsMs(arrivals, this.#offer.seed);
    const { closesMs } = this.#tally;
    let dueMs = startMs + gap();
    await new Promise<void>((resolve) => {
      const sendDue = (): void => {
        for (; dueMs <= performance.now() && dueMs < closesMs; dueMs += gap()) void this.#ask(dueMs);
        if (dueMs >= closesMs) resolve();
        else setTimeout(sendDue, dueMs - performance.now());
      };
      sendDue();
    });
  }

  async closedLoop(clients: number): Promise<void> {
    const client = async (): Promise<void> => {
      while (performance.now() < this.#tally.closesMs) {
        const { code, retryAfterMs = usualWaitMs } = await this.#ask(performance.now());
        if (code !== 'ok' && code !== 'left') await delay(Math.min(retryAfterMs, longestWaitMs));
      }
    };
    const all = Array.from({ length: clients }, client);
    // A client of the loop waits for its last answer, which may never come: settled() sees to that.
    await Promise.race([Promise.all(all), delay(this.#tally.closesMs - performance.now() + 10)]);
  }

  /** Gives up, where readers are slow at once and else after a while, what has not ended, and tells of all. */
  async settled(): Promise<OfferResult> {
    if (this.#offer.readBytesPerSecond !== undefined) this.#giveUp('left');
    const limit = setTimeout(() => this.#giveUp('unsettled'), settleLimitMs);
    while (this.#underWay.size > 0) await new Promise<void>((resolve) => this.#ended.add(resolve));
    clearTimeout(limit);
    return this.#tally.result();
  }

  async #ask(dueMs: number): Promise<{ readonly code: string; readonly retryAfterMs?: number }> {
    this.#tally.send(dueMs, performance.now());
    if (this.#underWay.size >= mostUnderWay) {
      const outcome = { code: 'not_sent', sizeBytes: 0 };
      this.#tally.end(outcome, dueMs, performance.now());
      return outcome;
    }
    const call = this.#caller.call(this.#endpoint());
    this.#underWay.add(call);
    const leaving = this.#leaveLater(call, dueMs);
    const outcome = await call.outcome;
    clearTimeout(leaving);
    this.#tally.end(outcome, dueMs, performance.now());
    this.#underWay.delete(call);
    if (this.#underWay.size === 0) for (const resolve of this.#ended) resolve();
    return outcome;
  }

  #leaveLater(call: Call, dueMs: number): NodeJS.Timeout | undefined {
    const { leaving } = this.#offer;
    if (leaving === undefined || this.#chance() >= leaving.share) return undefined;
    return setTimeout(() => call.leave('left'), dueMs + leaving.afterMs - performance.now());
  }

  #giveUp(code: 'left' | 'unsettled'): void {
    for (const call of this.#underWay) call.leave(code);
  }
}
