import { failureOf } from '../service/failure.ts';
import type { ServedModel } from '../service/models.ts';
import { optionsOf } from '../service/option.ts';
import type { Service } from '../service/service.ts';
import type { ServiceState } from './state.ts';
import type { Store } from './store.ts';

/** How long the service has for an answer that needs no encoding. */
export const answerLimitMs = 10_000;

/** Learns what the service serves: its models and their options. */
export class Learning {
  readonly #store: Store;
  readonly #service: Service;
  #underWay: Promise<void> | undefined;
  #isLocked = false;

  constructor(store: Store, service: Service) {
    this.#store = store;
    this.#service = service;
  }

  /** Whether the service wanted an API key the last time, and the user gave none. */
  get isLocked(): boolean {
    return this.#isLocked;
  }

  /** Resolves once the state has the models, or the failure. */
  learn(): Promise<void> {
    this.#underWay ??= this.#learn().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #learn(): Promise<void> {
    try {
      const timeoutMs = answerLimitMs;
      const [{ models }, description] = await Promise.all([
        this.#service.json<{ models: readonly ServedModel[] }>('v1/models', { timeoutMs }),
        this.#service.json<Parameters<typeof optionsOf>[0]>('openapi.json', { timeoutMs, isOpen: true }),
      ]);
      this.#isLocked = false;
      this.#change({ contact: 'ready', models, options: optionsOf(description), failure: undefined });
    } catch (thrown) {
      const failure = failureOf(thrown);
      this.#isLocked = failure.code === 'unauthenticated';
      this.#change({ contact: contactOf(failure), failure });
    }
  }

  #change(change: Partial<ServiceState>): void {
    this.#store.update(({ service }) => ({ service: { ...service, ...change } }));
  }
}

function contactOf({ kind, code }: ReturnType<typeof failureOf>): ServiceState['contact'] {
  if (kind === 'unreachable') return 'gone';
  return code === 'unauthenticated' ? 'locked' : 'not ready';
}
