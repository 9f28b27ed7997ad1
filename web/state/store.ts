import type { State } from './state.ts';

/** The one place of the page's state. Values are never changed in place. */
export class Store {
  #state: State;
  readonly #listeners = new Set<() => void>();

  constructor(state: State) {
    this.#state = state;
  }

  get state(): State {
    return this.#state;
  }

  update(change: (state: State) => Partial<State>): void {
    this.#state = { ...this.#state, ...change(this.#state) };
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` after each update until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `listener` whenever what `select` gives becomes another value. */
  watch<T>(select: (state: State) => T, listener: (selected: T) => void): void {
    let last = select(this.#state);
    this.subscribe(() => {
      const next = select(this.#state);
      if (Object.is(next, last)) return;
      last = next;
      listener(next);
    });
  }
}
