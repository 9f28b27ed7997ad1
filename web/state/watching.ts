import { failureOf, ServiceFailure } from '../service/failure.ts';
import { sampleOf, type MetricSample } from '../service/metric-sample.ts';
import type { Service } from '../service/service.ts';
import { answerLimitMs, type Learning } from './learning.ts';
import type { ServiceState } from './state.ts';
import type { Store } from './store.ts';

const pollMs = 2000;
const keptMs = 62_000;

/** Statuses that /metrics has where it is not served to the page: it may have a port of its own, or be for others. */
const withoutMetrics: ReadonlySet<number | undefined> = new Set([401, 403, 404]);

const openEndpoint = { isOpen: true, timeoutMs: answerLimitMs };

/** Looks after the service while the page is visible: whether it answers, what it serves, and how busy it is. */
export class Watching {
  readonly #store: Store;
  readonly #service: Service;
  readonly #learning: Learning;
  readonly #onReady: () => void;
  /** Whether the service has started again since the page learnt what it serves. */
  #isRestarted = false;

  /** `onReady` is called at each look at which the service serves models. */
  constructor(store: Store, service: Service, learning: Learning, onReady: () => void) {
    this.#store = store;
    this.#service = service;
    this.#learning = learning;
    this.#onReady = onReady;
  }

  start(): void {
    void this.#poll();
  }

  /** Asks for a key again, after the user gave none. */
  async unlock(): Promise<void> {
    await this.#learning.learn();
    this.#follow();
  }

  async #poll(): Promise<void> {
    if (document.visibilityState === 'visible') await this.#look();
    setTimeout(() => void this.#poll(), pollMs);
  }

  async #look(): Promise<void> {
    const before = this.#store.state.service.contact;
    const contact = await this.#contact();
    if (this.#learning.isLocked) {
      // Without a key the page learns nothing, and only the user can ask for it again.
      this.#change({ contact: contact === 'ready' ? 'locked' : contact });
    } else if (contact !== 'ready') this.#change({ contact, failure: undefined });
    else if (before !== 'ready' || this.#isRestarted) {
      this.#isRestarted = false;
      await this.#learning.learn();
    }
    this.#follow();
  }

  #follow(): void {
    if (this.#store.state.service.contact === 'ready') this.#onReady();
  }

  async #contact(): Promise<ServiceState['contact']> {
    try {
      const sample = await this.#sample();
      if (sample !== undefined) {
        this.#keep(sample);
        return sample.isReady ? 'ready' : 'not ready';
      }
      await this.#service.text('readyz', openEndpoint);
      return 'ready';
    } catch (thrown) {
      return failureOf(thrown).kind === 'unreachable' ? 'gone' : 'not ready';
    }
  }

  #keep(sample: MetricSample): void {
    const { samples } = this.#store.state.service;
    const last = samples.at(-1);
    // A service that starts again counts anew, and may serve other models.
    const isNew = last !== undefined && (last.startedS !== sample.startedS || last.views > sample.views);
    if (isNew) this.#isRestarted = true;
    const kept = isNew ? [] : samples.filter(({ atMs }) => atMs > sample.atMs - keptMs);
    this.#change({ samples: [...kept, sample] });
  }

  /** Undefined if /metrics has no answer for the page. */
  async #sample(): Promise<MetricSample | undefined> {
    if (!this.#store.state.service.hasMetrics) return undefined;
    try {
      return sampleOf(await this.#service.text('metrics', openEndpoint), performance.now());
    } catch (thrown) {
      if (!(thrown instanceof ServiceFailure) || thrown.failure.kind === 'unreachable') throw thrown;
      if (withoutMetrics.has(thrown.failure.status)) this.#change({ hasMetrics: false });
      return undefined;
    }
  }

  #change(change: Partial<ServiceState>): void {
    this.#store.update(({ service }) => ({ service: { ...service, ...change } }));
  }
}
