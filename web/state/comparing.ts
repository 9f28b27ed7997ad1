import type { Arithmetic } from '../arithmetic/arithmetic.ts';
import { failureOf } from '../service/failure.ts';
import type { ComparisonOutcome } from '../arithmetic/comparison-outcome.ts';
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
    const hasTokens = (id: number): boolean =>
      panels.some((panel) => panel.id === id && panel.answer !== undefined);
    if (!pair.every(hasTokens)) return undefined;
    return await this.#arithmetic.run({ kind: 'compare', pair, shows });
  }
}
