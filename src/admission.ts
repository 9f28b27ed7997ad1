import { ServiceError } from './errors.ts';

/** Room in the queue for a number of views. Given back once, however often release() is called. */
export interface ViewsPermit {
  readonly views: number;
  release(): void;
}

export interface AdmissionOptions {
  /** Views that may be between admission and answer at one time. */
  readonly maxViews: number;
  /** When to come back, in milliseconds, given the views admitted. */
  readonly retryAfterMs: (admittedViews: number) => number;
}

/** Bounds the work that the service has accepted; what does not fit is refused at once. */
export class Admission {
  readonly #options: AdmissionOptions;
  #admitted = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get admittedViews(): number {
    return this.#admitted;
  }

  /** Throws `too_large` when the views can never fit, `overloaded` when they do not fit now. */
  admit(views: number): ViewsPermit {
    const { maxViews } = this.#options;
    if (views > maxViews) {
      throw new ServiceError(
        'too_large',
        `The request needs ${views} views; this service takes at most ${maxViews}.`,
      );
    }
    if (this.#admitted + views > maxViews) {
      const retryAfterMs = this.#options.retryAfterMs(this.#admitted);
      throw new ServiceError('overloaded', 'The queue is full; try again later.', { retryAfterMs });
    }
    this.#admitted += views;
    let held = true;
    return {
      views,
      release: () => {
        if (held) this.#admitted -= views;
        held = false;
      },
    };
  }
}
