import type { Arithmetic } from '../arithmetic/arithmetic.ts';
import { failureOf } from '../service/failure.ts';
import type { ComparisonOutcome } from '../arithmetic/comparison-outcome.ts';
import type { Panel } from './panel.ts';
import type { State } from './state.ts';
import type { Store } from './store.ts';

/** Keeps the comparison of two panels up to date. */
export class Comparing {
  readonly #store: Store;
  readonly #arithmetic: Arithmetic;
  #latest = 0;

  constructor(store: Store, arithmetic: Arithmetic) {
    this.#store = store;
    this.#arithmetic = arithmetic;
  }

  /** Follows the state from now on. */
  start(): void {
    const store = this.#store;
    store.watch(
      ({ comparison }) => comparison.pair,
      () => void this.#compare(),
    );
    store.watch(
      ({ comparison }) => comparison.shows,
      () => void this.#compare(),
    );
    store.watch(
      ({ panels }) => panels,
      () => void this.#compare(),
    );
  }

  async #compare(): Promise<void> {
    const { comparison, panels } = this.#store.state;
    const number = ++this.#latest;
    const outcome = await this.#outcome(comparison, panels).catch(
      (thrown: unknown): ComparisonOutcome => ({ kind: 'impossible', reason: failureOf(thrown).detail }),
    );
    if (number !== this.#latest) return;
    this.#store.update((state) => ({ comparison: { ...state.comparison, outcome } }));
  }

  async #outcome(
    { pair, shows }: State['comparison'],
    panels: State['panels'],
  ): Promise<ComparisonOutcome | undefined> {
    if (pair === undefined) return undefined;
    const lacks = panels.flatMap((panel, index) =>
      pair.includes(panel.id) && panel.answer === undefined ? [lackOf(panel, index + 1)] : [],
    );
    if (lacks.length > 0) return { kind: 'impossible', reason: lacks.join(' ') };
    return await this.#arithmetic.run({ kind: 'compare', pair, shows });
  }
}

/** Why a panel has no tokens to compare. */
function lackOf({ failure }: Panel, number: number): string {
  if (failure === undefined) return `Panel ${number} has no tokens yet.`;
  return `Panel ${number} failed: ${failure.title}. ${failure.detail}`.trim();
}
