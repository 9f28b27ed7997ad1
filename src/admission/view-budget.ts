import type { Caller } from './caller.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { Place, Priority } from './priority.ts';
import { beyond, dividing, moreBeyond, type Parts } from './shares.ts';

/** Room in the queue for a number of views. Given back once, however often release() is called. */
export interface ViewsPermit extends Place {
  readonly views: number;
  /** One of its views has come to the engine: it is ahead of nobody any more. */
  begin(): void;
  release(): void;
}

export interface AdmissionOptions {
  /** Views that may be between admission and answer at one time. */
  readonly maxViews: number;
  /** Everyone that has a share, in a list that is never changed; nobody where the service has no keys. */
  readonly callers?: () => readonly Caller[];
  /** How long the service takes for so many of the views that it has admitted, in milliseconds. */
  readonly workMs: (views: number) => number;
}

/**
 * The share of any room that bulk may fill, a caller's own or the common: interactive requests then find room
 * beside it.
 */
const bulkShare = 0.75;

type ViewsByPriority = Record<Priority, number>;

type CallersViews = ViewsByPriority & { readonly weight: number };

/**
 * Bounds the work that the service has accepted; what does not fit is refused at once. With several callers half
 * of the room is divided among them by their weights: nobody else can fill a caller's part of it. Beyond its part
 * a caller uses the other half.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  /** How the room is divided now; one caller alone has all of it. */
  readonly #parts: () => Parts;
  readonly #byCaller = new Map<string | undefined, ViewsByPriority>();
  readonly #byModel = new Map<string, Map<string | undefined, CallersViews>>();
  #admitted = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#parts = dividing(options.maxViews, options.callers ?? (() => noCallers));
  }

  get admittedViews(): number {
    return this.#admitted;
  }

  /**
   * Admitted views of a model that wait, and come before the last of so many more from there: the caller's own, of
   * the other callers as many as their turns come, and before bulk everything interactive.
   */
  ahead(model: string, views: number, { caller, priority }: Place): number {
    const callers = this.#byModel.get(model) ?? new Map<string | undefined, CallersViews>();
    const own = (callers.get(caller.name)?.[priority] ?? 0) + views;
    let ahead = own - views;
    for (const [name, held] of callers) {
      if (priority === 'bulk') ahead += held.interactive;
      if (name !== caller.name)
        ahead += Math.min(held[priority], Math.ceil((own * held.weight) / caller.weight));
    }
    return ahead;
  }

  /**
   * When to come back, in milliseconds: when half of what is ahead is done, late enough to find room, early enough
   * that the engine still has work.
   */
  retryAfterMs(): number {
    return this.#options.workMs(Math.ceil(this.#admitted / 2));
  }

  /**
   * Room for all of the pieces or for none, a permit each. Throws `too_large` when they can never fit,
   * `overloaded` when they do not fit now.
   */
  admit(pieces: readonly number[], model: string, place: Place): ViewsPermit[] {
    const { caller, priority } = place;
    const views = pieces.reduce((sum, piece) => sum + piece, 0);
    this.requireRoomFor(views, place);
    const parts = this.#parts();
    const own = parts.of(caller.name);
    const { interactive, bulk } = this.#byCaller.get(caller.name) ?? noViews;
    const isFull = this.#beyond(parts, heldViews) + moreBeyond(interactive + bulk, views, own) > parts.common;
    const bulkOwn = bulkPartOf(own);
    const isBulkFull =
      priority === 'bulk' &&
      this.#beyond({ common: 0, of: (name) => bulkPartOf(parts.of(name)) }, (held) => held.bulk) +
        moreBeyond(bulk, views, bulkOwn) >
        bulkPartOf(parts.common);
    if (isFull || isBulkFull) {
      const retryAfterMs = this.retryAfterMs();
      throw new ServiceError('overloaded', 'The queue is full; try again later.', {
        retryAfterMs,
        bound: 'views',
      });
    }
    return pieces.map((piece) => this.#permit(piece, model, { caller, priority }));
  }

  /** Throws `too_large` for views that never fit, however little is admitted. */
  requireRoomFor(views: number, place: Place): void {
    const room = roomOf(this.#parts(), place);
    if (views <= room) return;
    const { maxViews } = this.#options;
    const limit =
      room === maxViews
        ? `this service takes at most ${room}`
        : `of the ${maxViews} that this service takes, ${whose(place)} may have at most ${room}`;
    throw new ServiceError('too_large', `The request needs ${views} views; ${limit}.`);
  }

  #permit(views: number, model: string, { caller, priority }: Place): ViewsPermit {
    const count = (change: number): void => {
      this.#admitted += change;
      add(this.#byCaller, caller.name, priority, change);
    };
    let waiting = views;
    const wait = (change: number): void => this.#countOfModel(model, { caller, priority }, change);
    count(views);
    wait(views);
    let isHeld = true;
    return {
      views,
      caller,
      priority,
      begin: () => {
        if (waiting === 0) return;
        waiting--;
        wait(-1);
      },
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        count(-views);
        wait(-waiting);
        waiting = 0;
      },
    };
  }

  #countOfModel(model: string, { caller, priority }: Place, change: number): void {
    const callers = this.#byModel.get(model) ?? new Map<string | undefined, CallersViews>();
    const held = callers.get(caller.name) ?? { ...noViews, weight: caller.weight };
    held[priority] += change;
    if (held.interactive + held.bulk === 0) callers.delete(caller.name);
    else callers.set(caller.name, held);
    this.#byModel.set(model, callers);
  }

  /** Views that callers hold beyond their parts. */
  #beyond(parts: Parts, heldOf: (views: ViewsByPriority) => number): number {
    return beyond(
      [...this.#byCaller].map(([name, views]) => [name, heldOf(views)] as const),
      parts,
    );
  }
}

const noCallers: readonly Caller[] = [];

const noViews: Readonly<ViewsByPriority> = { interactive: 0, bulk: 0 };

const heldViews = ({ interactive, bulk }: ViewsByPriority): number => interactive + bulk;

function bulkPartOf(part: number): number {
  return Math.floor(part * bulkShare);
}

/** All that a caller may hold with that priority. */
function roomOf(parts: Parts, { caller, priority }: Place): number {
  const own = parts.of(caller.name);
  return priority === 'bulk' ? bulkPartOf(own) + bulkPartOf(parts.common) : own + parts.common;
}

function whose({ caller, priority }: Place): string {
  const kind = priority === 'bulk' ? 'bulk' : 'a request';
  return caller.name === undefined ? kind : `${kind} of this key`;
}

function add<Key>(sums: Map<Key, ViewsByPriority>, key: Key, priority: Priority, change: number): void {
  const sum = sums.get(key) ?? { ...noViews };
  sum[priority] += change;
  if (sum.interactive === 0 && sum.bulk === 0) sums.delete(key);
  else sums.set(key, sum);
}
