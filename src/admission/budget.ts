import { anyone, type Caller } from './caller.ts';
import { commonUse, liveShares, type Shares } from './shares.ts';
import { abortFailure, type StopSignal } from '../errors/abort.ts';
import type { ServiceError } from '../errors/service-error.ts';

/** A part of a budget that one request holds. */
export interface Reservation {
  readonly amount: number;
  /** Raises the reservation to `amount`, never lowers it. Throws as `reserve` does, and then holds what it held. */
  grow(amount: number): void;
  /**
   * Raises the reservation to `amount` as soon as that fits, before requests that hold nothing yet. Rejects with the
   * budget's error if it can never fit, and with the signal's ServiceError when the signal fires first.
   */
  growInTurn(amount: number, signal: StopSignal): Promise<void>;
  /** Lowers the reservation to `amount`, never raises it. */
  settle(amount: number): void;
  /** Frees the reservation for good. Further calls do nothing. */
  release(): void;
}

export interface BudgetOptions {
  /** The most that may be held at one time, in bytes or views. */
  readonly limit: number;
  /** The largest single reservation. It fits when nothing else is held, however many callers share the budget. */
  readonly largest?: number;
  /** Each caller has a share that no other caller can take. A list never changes; a new list replaces it. */
  readonly callers?: (() => readonly Caller[]) | undefined;
  /** Creates the error for a reservation that does not fit now. */
  readonly full: () => ServiceError;
}

interface Waiter {
  readonly amount: number;
  readonly caller: Caller;
  /** Takes the amount. Called when it fits. */
  readonly enter: () => void;
}

const noCallers = (): readonly Caller[] => [];

/**
 * Bounds what all requests hold at one time, in bytes or in views. With several callers, half of the limit is divided
 * among them by weight; the other half goes to whoever comes first.
 */
export class Budget {
  /** Makes the error for a reservation that does not fit now. */
  readonly full: () => ServiceError;
  readonly #shares: () => Shares;
  readonly #byCaller = new Map<string | undefined, number>();
  /** Reservations that wait to grow, first come first. */
  readonly #growing = new Set<Waiter>();
  /** Waiting requests by caller, first come first. */
  readonly #waiting = new Map<string | undefined, Set<Waiter>>();
  #held = 0;

  constructor({ limit, largest = 0, callers = noCallers, full }: BudgetOptions) {
    this.full = full;
    this.#shares = liveShares(limit, callers, largest);
  }

  get held(): number {
    return this.#held;
  }

  /** The most that a caller can hold while nobody else holds anything. */
  mostOf({ name }: Caller): number {
    const shares = this.#shares();
    return shares.of(name) + shares.common;
  }

  /** Whether `amount` more fits now. */
  fits(amount: number, { name }: Caller = anyone): boolean {
    const shares = this.#shares();
    return commonUse(this.#byCaller, shares, name, amount) <= shares.common;
  }

  /** Reserves at once. Throws the budget's error where `amount` does not fit now. */
  reserve(amount: number, caller: Caller = anyone): Reservation {
    if (!this.fits(amount, caller)) throw this.full();
    return this.#take(amount, caller);
  }

  /** Reserves at once if `amount` fits and nobody of the same caller waits for room. */
  reserveNow(amount: number, caller: Caller): Reservation | undefined {
    const isFirst = !this.#waiting.has(caller.name);
    return isFirst && this.fits(amount, caller) ? this.#take(amount, caller) : undefined;
  }

  /**
   * Reserves as soon as `amount` fits. Each caller's requests are served first come, first served. Rejects with the
   * signal's ServiceError when the signal fires first.
   */
  async reserveInTurn(amount: number, caller: Caller, signal: StopSignal): Promise<Reservation> {
    if (signal.aborted) throw abortFailure(signal);
    const reservation = this.reserveNow(amount, caller);
    if (reservation !== undefined) return reservation;
    const line = this.#waiting.get(caller.name) ?? new Set<Waiter>();
    this.#waiting.set(caller.name, line);
    return await this.#wait(line, amount, caller, signal, () => this.#take(amount, caller));
  }

  /** Waits in `line` until `amount` fits, and then takes it. */
  #wait<T>(line: Set<Waiter>, amount: number, caller: Caller, signal: StopSignal, take: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        line.delete(waiter);
        reject(abortFailure(signal));
        this.#admitWaiting();
      };
      const waiter: Waiter = {
        amount,
        caller,
        enter: () => {
          signal.removeEventListener('abort', leave);
          resolve(take());
        },
      };
      line.add(waiter);
      signal.addEventListener('abort', leave);
    });
  }

  #take(amount: number, caller: Caller): Reservation {
    this.#add(caller.name, amount);
    let isReleased = false;
    const raise = (to: number): void => {
      this.#add(caller.name, to - reservation.amount);
      reservation.amount = to;
    };
    const settle = (to: number): void => {
      if (to >= reservation.amount) return;
      raise(to);
      this.#admitWaiting();
    };
    // The amount is a plain field: V8 makes a hidden class for each object whose literal defines an accessor.
    const reservation = {
      amount,
      grow: (to: number): void => {
        if (isReleased || to <= reservation.amount) return;
        if (!this.fits(to - reservation.amount, caller)) throw this.full();
        raise(to);
      },
      growInTurn: async (to: number, signal: StopSignal): Promise<void> => {
        if (signal.aborted) throw abortFailure(signal);
        if (to > this.mostOf(caller)) throw this.full();
        const more = to - reservation.amount;
        if (this.fits(more, caller)) raise(to);
        else await this.#wait(this.#growing, more, caller, signal, () => raise(to));
      },
      settle,
      release: (): void => {
        isReleased = true;
        settle(0);
      },
    };
    return reservation;
  }

  #add(name: string | undefined, change: number): void {
    this.#held += change;
    const own = (this.#byCaller.get(name) ?? 0) + change;
    if (own === 0) this.#byCaller.delete(name);
    else this.#byCaller.set(name, own);
  }

  #admitWaiting(): void {
    for (const waiter of this.#growing) this.#admit(waiter, this.#growing);
    for (const [name, line] of this.#waiting) {
      for (const waiter of line) if (!this.#admit(waiter, line)) break;
      if (line.size === 0) this.#waiting.delete(name);
    }
  }

  #admit(waiter: Waiter, line: Set<Waiter>): boolean {
    if (!this.fits(waiter.amount, waiter.caller)) return false;
    line.delete(waiter);
    waiter.enter();
    return true;
  }
}
