import type { Caller } from './caller.ts';
import { ServiceError } from './errors.ts';
import type { Place, Priority } from './request-terms.ts';

/** Room in the queue for a number of views. Given back once, however often release() is called. */
export interface ViewsPermit extends Place {
  readonly views: number;
  release(): void;
}

export interface AdmissionOptions {
  /** Views that may be between admission and answer at one time. */
  readonly maxViews: number;
  /** Everyone that has a share; nobody where the service has no keys. */
  readonly callers?: () => readonly Caller[];
  /** How long the service takes for so many of the views that it has admitted, in milliseconds. */
  readonly workMs: (views: number) => number;
}

/** The share of the room that is divided among callers, by their weights; the rest is whoever's comes first. */
const dividedShare = 0.5;

/** The share of a caller's room that bulk may fill: an interactive request then finds room beside it. */
const bulkShare = 0.75;

/** The room that a caller has for its own, and that anybody may use. */
interface Parts {
  readonly common: number;
  of(name: string | undefined): number;
}

type ViewsByPriority = Record<Priority, number>;

/**
 * Bounds the work that the service has accepted; what does not fit is refused at once. With several callers half of the
 * room is divided among them by their weights: nobody else can fill a caller's part of it. Beyond its part a caller uses
 * the other half.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #byCaller = new Map<string | undefined, ViewsByPriority>();
  readonly #byModel = new Map<string, ViewsByPriority>();
  #admitted = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get admittedViews(): number {
    return this.#admitted;
  }

  /** Admitted views of a model that come before those of that priority which are admitted next. */
  ahead(model: string, priority: Priority): number {
    const { interactive, bulk } = this.#byModel.get(model) ?? noViews;
    return priority === 'bulk' ? interactive + bulk : interactive;
  }

  /**
   * When to come back, in milliseconds: when half of what is ahead is done, late enough to find room, early enough that
   * the engine still has work.
   */
  retryAfterMs(): number {
    return this.#options.workMs(Math.ceil(this.#admitted / 2));
  }

  /**
   * Room for all of the pieces or for none, a permit each. Throws `too_large` when they can never fit, `overloaded` when
   * they do not fit now.
   */
  admit(pieces: readonly number[], model: string, place: Place): ViewsPermit[] {
    const { caller, priority } = place;
    const views = pieces.reduce((sum, piece) => sum + piece, 0);
    this.requireRoomFor(views, place);
    const parts = this.#parts();
    const own = parts.of(caller.name);
    const room = roomOf(parts, place);
    const { interactive, bulk } = this.#byCaller.get(caller.name) ?? noViews;
    const held = interactive + bulk;
    const more = Math.max(0, held + views - own) - Math.max(0, held - own);
    const isBulkFull = priority === 'bulk' && bulk + views > room;
    if (isBulkFull || this.#beyond(parts) + more > parts.common) {
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
    const kind = place.priority === 'bulk' ? ' of bulk' : '';
    throw new ServiceError(
      'too_large',
      `The request needs ${views} views; this service takes at most ${room}${kind}.`,
    );
  }

  #permit(views: number, model: string, { caller, priority }: Place): ViewsPermit {
    const count = (change: number): void => {
      this.#admitted += change;
      add(this.#byModel, model, priority, change);
      add(this.#byCaller, caller.name, priority, change);
    };
    count(views);
    let isHeld = true;
    return {
      views,
      caller,
      priority,
      release: () => {
        if (isHeld) count(-views);
        isHeld = false;
      },
    };
  }

  /** How the room is divided now; one caller alone has all of it. */
  #parts(): Parts {
    const { maxViews, callers = () => [] } = this.#options;
    const known = callers();
    const weights = known.reduce((sum, { weight }) => sum + weight, 0);
    const divided = known.length < 2 ? 0 : Math.floor(maxViews * dividedShare);
    const parts = new Map(known.map(({ name, weight }) => [name, Math.floor((divided * weight) / weights)]));
    const common = maxViews - [...parts.values()].reduce((sum, part) => sum + part, 0);
    return { common, of: (name) => parts.get(name) ?? 0 };
  }

  /** Views that callers hold beyond their parts. */
  #beyond(parts: Parts): number {
    let beyond = 0;
    for (const [name, { interactive, bulk }] of this.#byCaller) {
      beyond += Math.max(0, interactive + bulk - parts.of(name));
    }
    return beyond;
  }
}

const noViews: Readonly<ViewsByPriority> = { interactive: 0, bulk: 0 };

/** All that a caller may hold with that priority. */
function roomOf(parts: Parts, { caller, priority }: Place): number {
  return Math.floor((parts.of(caller.name) + parts.common) * (priority === 'bulk' ? bulkShare : 1));
}

function add<Key>(sums: Map<Key, ViewsByPriority>, key: Key, priority: Priority, change: number): void {
  const sum = sums.get(key) ?? { ...noViews };
  sum[priority] += change;
  if (sum.interactive === 0 && sum.bulk === 0) sums.delete(key);
  else sums.set(key, sum);
}
