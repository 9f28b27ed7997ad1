import { ServiceError } from '../errors/service-error.ts';
import { Budget, type BudgetOptions } from './budget.ts';
import type { SchedulingClass, Priority } from './priority.ts';

/** A reservation in the queue for a number of views. */
export interface ViewsPermit extends SchedulingClass {
  /** Reports that an engine has taken so many of its views, which are then ahead of nobody; one if absent. */
  begin(views?: number): void;
  /** Frees the reservation. Further calls do nothing. */
  release(): void;
}

export interface ViewBudgetOptions {
  /** The most views that may be between admission and answer at one time. */
  readonly maxViews: number;
  /** The callers that have a share of the views; see {@link BudgetOptions.callers}. */
  readonly callers?: BudgetOptions['callers'];
  /** How long the engines take for this many of the admitted views, in milliseconds. */
  readonly workMs: (views: number) => number;
}

/** The part of any share that bulk may fill. The rest stays free for interactive requests. */
const bulkPart = 0.75;

/** The waiting views of one caller. */
type WaitingViews = Record<Priority, number> & { readonly weight: number };

/**
 * Bounds the views that the service has accepted. A request that does not fit is refused at once. Bulk has a smaller
 * budget within the whole one.
 */
export class ViewBudget {
  readonly #options: ViewBudgetOptions;
  readonly #all: Budget;
  readonly #bulk: Budget;
  /** Admitted views that wait for the engine, by model and caller. */
  readonly #waiting = new Map<string, Map<string | undefined, WaitingViews>>();

  constructor(options: ViewBudgetOptions) {
    const { maxViews, callers } = options;
    const full = () => this.#full();
    this.#options = options;
    this.#all = new Budget({ limit: maxViews, callers, full });
    this.#bulk = new Budget({ limit: Math.floor(maxViews * bulkPart), callers, full });
  }

  /** Views between admission and answer. */
  get admitted(): number {
    return this.#all.held;
  }

  /**
   * How many waiting views of `model` run before the last of `views` new ones. These are the caller's own views, those
   * that other callers run in their turns meanwhile, and for bulk all interactive ones.
   */
  ahead(model: string, views: number, { caller, priority }: SchedulingClass): number {
    const callers = this.#waiting.get(model) ?? new Map<string | undefined, WaitingViews>();
    const own = (callers.get(caller.name)?.[priority] ?? 0) + views;
    let ahead = own - views;
    for (const [name, waiting] of callers) {
      if (priority === 'bulk') ahead += waiting.interactive;
      if (name !== caller.name) {
        ahead += Math.min(waiting[priority], Math.ceil((own * waiting.weight) / caller.weight));
      }
    }
    return ahead;
  }

  /**
   * When to retry a refused request, in milliseconds: once half of the admitted views are done. That is late enough to
   * find room and early enough that the engine still has work.
   */
  retryAfterMs(): number {
    return this.#options.workMs(Math.ceil(this.admitted / 2));
  }

  /**
   * Admits all pieces of a request or none, with a permit for each piece; a piece is a number of views. Throws
   * `too_large` when they can never fit, and `overloaded` when they do not fit now.
   */
  admit(pieces: readonly number[], model: string, schedulingClass: SchedulingClass): ViewsPermit[] {
    const views = pieces.reduce((sum, piece) => sum + piece, 0);
    this.requireRoomFor(views, schedulingClass);
    const budgets = this.#budgetsOf(schedulingClass);
    if (!budgets.every((budget) => budget.fits(views, schedulingClass.caller))) throw this.#full();
    return pieces.map((piece) => this.#permit(piece, model, schedulingClass, budgets));
  }

  /** Throws `too_large` when the views do not fit even while nothing else is admitted. */
  requireRoomFor(views: number, schedulingClass: SchedulingClass): void {
    const room = Math.min(
      ...this.#budgetsOf(schedulingClass).map((budget) => budget.mostOf(schedulingClass.caller)),
    );
    if (views <= room) return;
    const { maxViews } = this.#options;
    const limit =
      room === maxViews
        ? `the limit is ${room} (--max-queued-views)`
        : `${subjectOf(schedulingClass)} may use at most ${room} of the service's ${maxViews} (--max-queued-views)`;
    throw new ServiceError('too_large', `The request needs ${views} views; ${limit}.`);
  }

  #full(): ServiceError {
    return new ServiceError('overloaded', 'The queue is full; try again later.', {
      retryAfterMs: this.retryAfterMs(),
      bound: 'views',
    });
  }

  #budgetsOf({ priority }: SchedulingClass): readonly Budget[] {
    return priority === 'bulk' ? [this.#all, this.#bulk] : [this.#all];
  }

  #permit(
    views: number,
    model: string,
    { caller, priority }: SchedulingClass,
    budgets: readonly Budget[],
  ): ViewsPermit {
    const reservations = budgets.map((budget) => budget.reserve(views, caller));
    let waiting = 0;
    const wait = (count: number): void => {
      this.#countWaiting(model, { caller, priority }, count - waiting);
      waiting = count;
    };
    wait(views);
    return {
      caller,
      priority,
      begin: (taken = 1) => wait(Math.max(0, waiting - taken)),
      release: () => {
        wait(0);
        for (const reservation of reservations) reservation.release();
      },
    };
  }

  #countWaiting(model: string, { caller, priority }: SchedulingClass, change: number): void {
    if (change === 0) return;
    const callers = this.#waiting.get(model) ?? new Map<string | undefined, WaitingViews>();
    const waiting = callers.get(caller.name) ?? { interactive: 0, bulk: 0, weight: caller.weight };
    waiting[priority] += change;
    if (waiting.interactive + waiting.bulk === 0) callers.delete(caller.name);
    else callers.set(caller.name, waiting);
    this.#waiting.set(model, callers);
  }
}

/** Names the owner of a share, for an error message. */
function subjectOf({ caller, priority }: SchedulingClass): string {
  const kind = priority === 'bulk' ? 'bulk requests' : 'requests';
  return caller.name === undefined ? kind : `${kind} of this key`;
}
