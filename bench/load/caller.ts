import type { Endpoint, OutcomeCode } from './offer.ts';

export interface Outcome {
  readonly code: OutcomeCode;
  readonly sizeBytes: number;
  /** When the service says to come back. */
  readonly retryAfterMs?: number;
}

/** A request that is under way. */
export interface Call {
  /** Settles once, and never rejects. */
  readonly outcome: Promise<Outcome>;
  /** Gives the request up: its outcome is then the code. Nothing once it has ended. */
  leave(code: OutcomeCode): void;
}

/** One end of a transport, which keeps its connections. */
export interface Caller {
  call(endpoint: Endpoint): Call;
  close(): void;
}

/** What every request of a caller has in common. */
export interface CallerOptions {
  readonly image: Uint8Array;
  readonly dtype: 'float16' | 'float32';
  readonly headers: Readonly<Record<string, string>>;
  readonly readBytesPerSecond?: number | undefined;
}

/** Otherwise one picture that is sent again and again would be encoded once. */
export const unlessTold = { 'cache-control': 'no-store' } as const;

/** An outcome that can be settled more than once; the first counts. */
export class Settling {
  readonly outcome: Promise<Outcome>;
  #resolve: (outcome: Outcome) => void = () => {};
  #isSettled = false;

  constructor() {
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  settle(outcome: Outcome): void {
    this.#isSettled = true;
    this.#resolve(outcome);
  }
}
