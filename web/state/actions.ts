import type { Choice } from '../service/choice.ts';
import { failureOf } from '../service/failure.ts';
import { type GivenPicture, openPicture } from '../picture/picture.ts';
import type { Sample } from '../picture/samples.ts';
import type { Asking } from './asking.ts';
import type { Comparison } from './comparison.ts';
import { newPanel } from './panel.ts';
import type { Look, Pick, State } from './state.ts';
import type { Store } from './store.ts';

/** What the user can do. */
export class Actions {
  readonly #store: Store;
  readonly #asking: Asking;
  #lastId = 0;
  #lastPicture = 0;

  constructor(store: Store, asking: Asking) {
    this.#store = store;
    this.#asking = asking;
  }

  /** Shows a file, and encodes it in every panel. */
  async open(name: string, file: Blob): Promise<void> {
    await this.#show(++this.#lastPicture, { name, file, sampleUrl: undefined });
  }

  /** Shows a picture, unless the user has chosen another one meanwhile. */
  async #show(number: number, given: GivenPicture): Promise<void> {
    const picture = await openPicture(given);
    if (number !== this.#lastPicture) {
      picture.bitmap?.close();
      return;
    }
    this.#store.state.picture?.bitmap?.close();
    this.#store.update(({ look }) => ({
      picture,
      pictureFailure: undefined,
      look: { ...look, picks: [], threshold: undefined, hover: undefined },
    }));
    this.#asking.askAll();
  }

  async openSample({ name, url }: Sample): Promise<void> {
    const number = ++this.#lastPicture;
    try {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`${name} is not there (status ${response.status}); reload the page.`);
      await this.#show(number, { name, file: await response.blob(), sampleUrl: url });
    } catch (thrown) {
      if (number !== this.#lastPicture) return;
      this.#store.update(() => ({ pictureFailure: failureOf(thrown) }));
    }
  }

  /** Two models and the teacher beside each other where several models are served, else the model and its teacher. */
  openPanels(): void {
    const { panels, service } = this.#store.state;
    if (panels.length > 0) return;
    const [first, second] = service.models;
    if (first === undefined) return;
    this.addPanel({ model: first.name, recipe: 'encode', options: {} });
    if (second !== undefined) this.addPanel({ model: second.name, recipe: 'encode', options: {} });
    this.addPanel({ model: '', recipe: 'teacher', options: {} });
  }

  addPanel(choice: Choice): void {
    const id = ++this.#lastId;
    this.#store.update(({ panels }) => ({ panels: [...panels, newPanel(id, choice)] }));
    this.#asking.ask(id);
  }

  removePanel(id: number): void {
    this.#store.update(({ panels, comparison }) => ({
      panels: panels.filter((panel) => panel.id !== id),
      ...(comparison.pair?.includes(id)
        ? { comparison: { ...comparison, pair: undefined, outcome: undefined } }
        : {}),
    }));
    this.#asking.forget(id);
  }

  choose(id: number, choice: Choice): void {
    this.#changePanel(id, { choice });
    this.#asking.ask(id);
  }

  retry(id: number): void {
    this.#asking.ask(id);
  }

  /** Leaves panels that are still encoding alone. */
  retryFailed(): void {
    for (const { id, progress } of this.#store.state.panels) if (progress === 'failed') this.#asking.ask(id);
  }

  showLayer(id: number, layer: number): void {
    this.#changePanel(id, { layer });
  }

  look(change: Partial<Look>): void {
    this.#store.update(({ look }) => ({ look: { ...look, ...change } }));
  }

  /** Compares the other tokens with the patch at a point. */
  pick(pick: Pick): void {
    const { picks } = this.#store.state.look;
    this.look({ coloring: 'similarity', picks: [...picks, pick] });
  }

  clearPicks(): void {
    this.look({ picks: [], threshold: undefined });
  }

  compare(change: Partial<Comparison>): void {
    this.#store.update(({ comparison }) => ({ comparison: { ...comparison, ...change } }));
  }

  #changePanel(id: number, change: Partial<State['panels'][number]>): void {
    this.#store.update(({ panels }) => ({
      panels: panels.map((panel) => (panel.id === id ? { ...panel, ...change } : panel)),
    }));
  }
}
