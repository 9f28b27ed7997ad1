import type { Arithmetic } from '../arithmetic/arithmetic.ts';
import type { Painted, PickedTokens } from '../arithmetic/tasks.ts';
import { tokenAt } from '../geometry/token-layers.ts';
import { failureOf } from '../service/failure.ts';
import { type Panel, shownLayer } from './panel.ts';
import type { Pick, State } from './state.ts';
import type { Store } from './store.ts';

const nothing: Painted = { paints: new Map(), scale: undefined };

/** Keeps the colours of all panels up to date. While the worker computes, only the latest wish is kept. */
export class Painting {
  readonly #store: Store;
  readonly #arithmetic: Arithmetic;
  #isRunning = false;
  #isStale = false;

  constructor(store: Store, arithmetic: Arithmetic) {
    this.#store = store;
    this.#arithmetic = arithmetic;
  }

  /** Follows the state from now on. */
  start(): void {
    const store = this.#store;
    store.watch(
      ({ panels }) => panels,
      () => this.#request(),
    );
    store.watch(
      ({ look }) => look.coloring,
      () => this.#request(),
    );
    store.watch(
      ({ look }) => look.threshold,
      () => this.#request(),
    );
    store.watch(
      ({ look }) => look.picks,
      () => this.#request(),
    );
    store.watch(
      ({ look }) => (followsPointer(look) ? look.hover : undefined),
      () => this.#request(),
    );
  }

  #request(): void {
    this.#isStale = true;
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#isStale) {
      this.#isStale = false;
      try {
        const { paints, scale } = await this.#painted(this.#store.state);
        this.#store.update(() => ({ paints, scale, paintFailure: undefined }));
      } catch (thrown) {
        this.#store.update(() => ({ ...nothing, paintFailure: failureOf(thrown) }));
      }
    }
    this.#isRunning = false;
  }

  async #painted({ panels, look }: State): Promise<Painted> {
    const ids = panels.filter((panel) => shownLayer(panel) !== undefined).map(({ id }) => id);
    if (ids.length === 0) return nothing;
    switch (look.coloring) {
      case 'components':
        return await this.#arithmetic.run({ kind: 'components', ids });
      case 'norms':
        return await this.#arithmetic.run({ kind: 'norms', ids });
      case 'similarity': {
        const picks = picksOf(look);
        const picked = panels
          .map((panel) => pickedTokens(panel, picks))
          .filter((one) => isScored(one, picks));
        if (picked.length === 0) return nothing;
        return await this.#arithmetic.run({ kind: 'similarity', picked, threshold: look.threshold });
      }
    }
  }
}

/** Whether the heat is that of the patch under the pointer: nothing is picked. */
export function followsPointer({ coloring, picks }: State['look']): boolean {
  return coloring === 'similarity' && picks.length === 0;
}

function picksOf({ picks, hover }: State['look']): readonly Pick[] {
  if (picks.length > 0 || hover === undefined) return picks;
  return [{ ...hover, isPositive: true }];
}

/**
 * Whether a panel has scores: it has a token at a positive pick and at a negative one, if there are such picks. A point may lie
 * beside a panel's tokens, in the margin that CLIP crops.
 */
function isScored({ positive, negative }: PickedTokens, picks: readonly Pick[]): boolean {
  const lacks = (isPositive: boolean, tokens: readonly number[]): boolean =>
    tokens.length === 0 && picks.some((pick) => pick.isPositive === isPositive);
  return picks.length > 0 && !lacks(true, positive) && !lacks(false, negative);
}

/** Each panel's own tokens at the points that are picked. */
function pickedTokens(panel: Panel, picks: readonly Pick[]): PickedTokens {
  const layer = shownLayer(panel);
  const tokensOf = (isPositive: boolean): number[] =>
    picks.flatMap((pick) => {
      const token = layer === undefined || pick.isPositive !== isPositive ? undefined : tokenAt(layer, pick);
      return token === undefined ? [] : [token.index];
    });
  return { id: panel.id, positive: tokensOf(true), negative: tokensOf(false) };
}
