import type { handleUnaryCall, Server } from '@grpc/grpc-js';
import { HealthImplementation, protoPath } from 'grpc-health-check';
import { loadSync } from '@grpc/proto-loader';
import type { VisualEncoder } from '../../encoding/request.ts';
import { openInferenceService } from '../../open-inference/definition.ts';
import { serviceName } from './definition.ts';

/** grpc.health.v1, for reflection. */
export const healthPackage = loadSync(protoPath);

const services = ['', serviceName, openInferenceService] as const;

/**
 * grpc.health.v1 for the server as a whole ('') and for each of its services: SERVING while the encoder is ready. A
 * check reads the encoder's state; watchers learn of a change within `pollMs`. After `stop()` all are NOT_SERVING.
 */
export class Health {
  readonly #implementation = new HealthImplementation({});
  readonly #encoder: Pick<VisualEncoder, 'ready'>;
  readonly #timer: NodeJS.Timeout;
  #stopped = false;
  #serving: boolean | undefined;

  constructor(encoder: Pick<VisualEncoder, 'ready'>, pollMs: number) {
    this.#encoder = encoder;
    this.#timer = setInterval(() => this.#refresh(), pollMs).unref();
    this.#refresh();
  }

  addTo(server: Pick<Server, 'addService'>): void {
    this.#implementation.addToServer({
      addService: (definition, implementation) => {
        const known = implementation.check as handleUnaryCall<unknown, unknown>;
        const check: handleUnaryCall<unknown, unknown> = (call, callback) => {
          this.#refresh();
          known(call, callback);
        };
        server.addService(definition, { ...implementation, check });
      },
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopped = true;
    this.#refresh();
  }

  #refresh(): void {
    const serving = !this.#stopped && this.#encoder.ready();
    if (serving === this.#serving) return;
    this.#serving = serving;
    for (const service of services)
      this.#implementation.setStatus(service, serving ? 'SERVING' : 'NOT_SERVING');
  }
}
