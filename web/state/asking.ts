import type { Arithmetic } from '../arithmetic/arithmetic.ts';
import { tokenLayers } from '../geometry/token-layers.ts';
import { askPlan, encode } from '../service/encode.ts';
import { failureOf, isLost } from '../service/failure.ts';
import type { Service } from '../service/service.ts';
import type { ServedModel } from '../service/models.ts';
import type { Picture } from '../picture/picture.ts';
import type { Learning } from './learning.ts';
import type { Panel } from './panel.ts';
import { modelOf } from './served-model.ts';
import type { Store } from './store.ts';

const firstWaitMs = 1000;
const longestWaitMs = 60_000;

/** Asks the service for what the panels show: first the plan, then the tokens. */
export class Asking {
  readonly #store: Store;
  readonly #service: Service;
  readonly #arithmetic: Arithmetic;
  /** The request of each panel that is under way. */
  readonly #underWay = new Map<number, AbortController>();
  /** When the page asks again by itself for each panel that failed because the service was away. */
  readonly #again = new Map<number, { readonly waitMs: number; readonly atMs: number }>();
  readonly #learning: Learning;

  constructor(store: Store, service: Service, arithmetic: Arithmetic, learning: Learning) {
    this.#store = store;
    this.#service = service;
    this.#arithmetic = arithmetic;
    this.#learning = learning;
  }

  /** Asks for a panel again, and forgets what it has. */
  ask(id: number): void {
    this.#again.delete(id);
    this.#ask(id);
  }

  #ask(id: number): void {
    this.#underWay.get(id)?.abort();
    const { picture, panels } = this.#store.state;
    const panel = panels.find((one) => one.id === id);
    this.#arithmetic.drop(id);
    if (picture === undefined || panel === undefined) return;
    const controller = new AbortController();
    this.#underWay.set(id, controller);
    this.#change(id, { progress: 'planning', plan: undefined, answer: undefined, failure: undefined });
    this.#fill(panel, picture, controller.signal).catch((thrown: unknown) => {
      if (controller.signal.aborted) return;
      const failure = failureOf(thrown);
      if (isLost(failure)) this.#askLater(id, failure.retryAfterMs);
      this.#change(id, { progress: 'failed', failure });
    });
  }

  askAll(): void {
    for (const { id } of this.#store.state.panels) this.ask(id);
  }

  /** Asks again, when it is time, for what failed because the service was away. */
  askLost(): void {
    for (const { id, failure } of this.#store.state.panels) {
      const atMs = this.#again.get(id)?.atMs ?? 0;
      if (failure !== undefined && isLost(failure) && performance.now() >= atMs) this.#ask(id);
    }
  }

  /** Each failure in a row doubles the wait. */
  #askLater(id: number, leastMs = 0): void {
    const before = this.#again.get(id)?.waitMs;
    const waitMs = before === undefined ? firstWaitMs : Math.min(longestWaitMs, 2 * before);
    this.#again.set(id, { waitMs, atMs: performance.now() + Math.max(waitMs, leastMs) });
  }

  forget(id: number): void {
    this.#underWay.get(id)?.abort();
    this.#underWay.delete(id);
    this.#again.delete(id);
    this.#arithmetic.drop(id);
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
    const model = await this.#modelOf(metadata.model);
    await this.#arithmetic.run({ kind: 'put', id, bytes: tokens, channels: metadata.shape.at(-1)! });
    if (signal.aborted) return;
    this.#again.delete(id);
    this.#change(id, { progress: 'done', answer: { ...answer, layers: tokenLayers(metadata, model, size) } });
  }

  /** The model of an answer. If the page does not know it, the service may have started again with other models. */
  async #modelOf({ name, digest }: { readonly name: string; readonly digest: string }): Promise<ServedModel> {
    const known = modelOf(this.#store.state, name);
    if (known?.digest === digest) return known;
    await this.#learning.learn();
    const learnt = modelOf(this.#store.state, name);
    if (learnt !== undefined) return learnt;
    throw new Error(`The service answered with a model that it does not list: ${name}.`);
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
