import type { Arithmetic } from '../arithmetic/arithmetic.ts';
import { tokenLayers } from '../geometry/token-layers.ts';
import { askPlan, encode } from '../service/encode.ts';
import { failureOf } from '../service/failure.ts';
import type { Service } from '../service/service.ts';
import type { Picture } from '../picture/picture.ts';
import type { Panel } from './panel.ts';
import type { State } from './state.ts';
import type { Store } from './store.ts';

/** Asks the service for what the panels show: first the plan, then the tokens. */
export class Asking {
  readonly #store: Store;
  readonly #service: Service;
  readonly #arithmetic: Arithmetic;
  /** The request of each panel that is under way. */
  readonly #underWay = new Map<number, AbortController>();

  constructor(store: Store, service: Service, arithmetic: Arithmetic) {
    this.#store = store;
    this.#service = service;
    this.#arithmetic = arithmetic;
  }

  /** Asks for a panel again, and forgets what it has. */
  ask(id: number): void {
    this.#underWay.get(id)?.abort();
    const { picture, panels } = this.#store.state;
    const panel = panels.find((one) => one.id === id);
    void this.#arithmetic.run({ kind: 'drop', id });
    if (picture === undefined || panel === undefined) return;
    const controller = new AbortController();
    this.#underWay.set(id, controller);
    this.#change(id, { progress: 'planning', plan: undefined, answer: undefined, failure: undefined });
    this.#fill(panel, picture, controller.signal).catch((thrown: unknown) => {
      if (controller.signal.aborted) return;
      this.#change(id, { progress: 'failed', failure: failureOf(thrown) });
    });
  }

  askAll(): void {
    for (const { id } of this.#store.state.panels) this.ask(id);
  }

  /** Asks again for what failed because the service was away. */
  askLost(): void {
    for (const { id, failure } of this.#store.state.panels) {
      if (failure?.kind === 'unreachable' || failure?.code === 'unavailable') this.ask(id);
    }
  }

  forget(id: number): void {
    this.#underWay.get(id)?.abort();
    this.#underWay.delete(id);
    void this.#arithmetic.run({ kind: 'drop', id });
  }

  async #fill({ id, choice }: Panel, picture: Picture, signal: AbortSignal): Promise<void> {
    if (picture.size !== undefined) {
      const plan = await askPlan(this.#service, choice, picture.size, signal);
      this.#change(id, { progress: 'encoding', plan });
    }
    const { tokens, ...answer } = await encode(this.#service, choice, picture.file, signal);
    const { metadata } = answer;
    const size = picture.size ?? metadata.images[0]!;
    this.#keepSize(picture, size);
    const model = modelOf(this.#store.state, metadata.model.name);
    if (model === undefined)
      throw new Error(`The service answered with a model that it does not list: ${metadata.model.name}.`);
    await this.#arithmetic.run({ kind: 'put', id, bytes: tokens, channels: metadata.shape.at(-1)! });
    if (signal.aborted) return;
    this.#change(id, { progress: 'done', answer: { ...answer, layers: tokenLayers(metadata, model, size) } });
  }

  /** The size of a picture that the browser cannot decode is known from its first answer. */
  #keepSize(picture: Picture, size: Picture['size']): void {
    if (picture.size !== undefined || this.#store.state.picture !== picture) return;
    this.#store.update(() => ({ picture: { ...picture, size } }));
  }

  #change(id: number, change: Partial<Panel>): void {
    this.#store.update(({ panels }) => ({
      panels: panels.map((panel) => (panel.id === id ? { ...panel, ...change } : panel)),
    }));
  }
}

/** The served model of a name; the default for the empty name. */
export function modelOf({ service }: State, name: string) {
  return service.models.find((model) => (name === '' ? model.default : model.name === name));
}
