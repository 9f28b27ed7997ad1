import type { ServiceError } from '../../errors/service-error.ts';

/** A handler of a stream, which ends its call after the answers under way. */
export interface StreamHandler {
  /** Whether it has room for another message. `InboundCall.readOn()` asks again. */
  mayRead(): boolean;
  /** Reads no more messages and ends the call: with `error`, or because the service stops. */
  refuse(error: ServiceError): void;
  drain(): void;
}
