import type { Transport } from './metrics.ts';
import { type BegunRequest, type RequestReports, RequestScope } from './request-scope.ts';

/** The requests of one transport that have not ended. */
export class RequestScopes {
  readonly #transport: Transport;
  readonly #reports: RequestReports;
  #underWay = 0;
  readonly #onIdle: (() => void)[] = [];

  constructor(transport: Transport, reports: RequestReports) {
    this.#transport = transport;
    this.#reports = reports;
  }

  /** How many there are. */
  get underWay(): number {
    return this.#underWay;
  }

  begin(request: BegunRequest): RequestScope {
    const scope = new RequestScope(this.#transport, request, this.#reports);
    this.#underWay++;
    scope.hold(() => {
      this.#underWay--;
      if (this.#underWay === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
    });
    return scope;
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }
}
