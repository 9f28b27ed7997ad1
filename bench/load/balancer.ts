import { setTimeout as delay } from 'node:timers/promises';
import type { Caller } from './caller.ts';

/** A service that a balancer may choose. */
export interface Backend {
  readonly readyUrl: string;
  readonly caller: Caller;
  isReady: boolean;
}

/** What became of requests that a balancer sent. */
export interface Balanced {
  /** By how they ended at last; what was refused and sent again is not in it. */
  readonly codes: Readonly<Record<string, number>>;
  /** Refusals that were sent again. */
  readonly retried: number;
}

/** The service did not take the request: it may be sent again without being done twice. */
const refusals: ReadonlySet<string> = new Set(['unavailable', 'overloaded', 'ECONNREFUSED']);

const lookMs = 100;

/**
 * A load balancer as services meet it: sends each request to the next backend that says it is ready, as it said at
 * the last look, and sends again only what was refused.
 */
export class Balancer {
  readonly #backends = new Set<Backend>();
  readonly #codes: Record<string, number> = {};
  #retried = 0;
  #settled = 0;
  #next = 0;

  /** Requests that have ended. */
  get settled(): number {
    return this.#settled;
  }

  add(readyUrl: string, caller: Caller): Backend {
    const backend = { readyUrl, caller, isReady: true };
    this.#backends.add(backend);
    return backend;
  }

  remove(backend: Backend): void {
    this.#backends.delete(backend);
    backend.caller.close();
  }

  /** Looks at every backend's readiness until the signal fires. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const backend of this.#backends) {
        backend.isReady = await fetch(backend.readyUrl).then(
          ({ ok }) => ok,
          () => false,
        );
      }
      await delay(lookMs);
    }
  }

  /** Has `clients` send until `isOver`. */
  async run(clients: number, isOver: () => boolean): Promise<Balanced> {
    const client = async (): Promise<void> => {
      while (!isOver()) await this.#send();
    };
    await Promise.all(Array.from({ length: clients }, client));
    return { codes: this.#codes, retried: this.#retried };
  }

  async #send(): Promise<void> {
    for (;;) {
      const backend = await this.#choose();
      const { code } = await backend.caller.call('encode').outcome;
      if (refusals.has(code)) {
        this.#retried++;
        await delay(lookMs);
        continue;
      }
      this.#codes[code] = (this.#codes[code] ?? 0) + 1;
      this.#settled++;
      return;
    }
  }

  async #choose(): Promise<Backend> {
    for (;;) {
      const ready = [...this.#backends].filter(({ isReady }) => isReady);
      const backend = ready[this.#next++ % Math.max(1, ready.length)];
      if (backend !== undefined) return backend;
      await delay(lookMs);
    }
  }
}
