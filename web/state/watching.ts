import { failureOf, ServiceFailure } from '../service/failure.ts';
import { sampleOf, type MetricSample } from '../service/metric-sample.ts';
import type { ServedModel } from '../service/models.ts';
import { optionsOf } from '../service/option.ts';
import type { Service } from '../service/service.ts';
import type { ServiceState } from './state.ts';
import type { Store } from './store.ts';

const pollMs = 2000;
const keptMs = 62_000;

/** Looks after the service while the page is visible: whether it answers, what it serves, and how busy it is. */
export class Watching {
  readonly #store: Store;
  readonly #service: Service;
  readonly #onReady: () => void;
  /** Whether /metrics is served here; it may have a port of its own. */
  #hasMetrics = true;

  /** `onReady` is called when the service serves models, for the first time or again. */
  constructor(store: Store, service: Service, onReady: () => void) {
    this.#store = store;
    this.#service = service;
    this.#onReady = onReady;
  }

  start(): void {
    void this.#look();
  }

  async #look(): Promise<void> {
    if (document.visibilityState === 'visible') {
      const before = this.#store.state.service.contact;
      const contact = await this.#contact();
      if (contact === 'ready' && before !== 'ready') await this.#learn();
      else this.#change({ contact });
    }
    setTimeout(() => void this.#look(), pollMs);
  }

  async #contact(): Promise<ServiceState['contact']> {
    try {
      const sample = await this.#sample();
      if (sample !== undefined) {
        const { samples } = this.#store.state.service;
        // A restart begins to count anew.
        const kept = samples.at(-1) !== undefined && samples.at(-1)!.views > sample.views ? [] : samples;
        this.#change({ samples: [...kept.filter(({ atMs }) => atMs > sample.atMs - keptMs), sample] });
        return sample.isReady ? 'ready' : 'not ready';
      }
      await this.#service.ask('readyz');
      return 'ready';
    } catch (thrown) {
      return failureOf(thrown).kind === 'unreachable' ? 'gone' : 'not ready';
    }
  }

  /** Undefined where /metrics is not served. */
  async #sample(): Promise<MetricSample | undefined> {
    if (!this.#hasMetrics) return undefined;
    try {
      const text = await (await this.#service.ask('metrics')).text();
      return sampleOf(text, performance.now());
    } catch (thrown) {
      if (!(thrown instanceof ServiceFailure) || thrown.failure.kind === 'unreachable') throw thrown;
      this.#hasMetrics = false;
      return undefined;
    }
  }

  async #learn(): Promise<void> {
    try {
      const [{ models }, description] = await Promise.all([
        this.#service.json<{ models: readonly ServedModel[] }>('v1/models'),
        this.#service.json<Parameters<typeof optionsOf>[0]>('openapi.json'),
      ]);
      this.#change({ contact: 'ready', models, options: optionsOf(description), failure: undefined });
      this.#onReady();
    } catch (thrown) {
      this.#change({ contact: 'not ready', failure: failureOf(thrown) });
    }
  }

  #change(change: Partial<ServiceState>): void {
    this.#store.update(({ service }) => ({ service: { ...service, ...change } }));
  }
}
