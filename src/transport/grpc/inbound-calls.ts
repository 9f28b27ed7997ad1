import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { ServerInterceptor } from '@grpc/grpc-js';
import type { ServiceError } from '../../errors/service-error.ts';
import { InboundCall, type InboundSettings } from './inbound.ts';

/** The calls of a server that have not ended, and the interceptor that they come through. */
export class InboundCalls {
  readonly #endpoints: ReadonlyMap<string, string>;
  readonly #settings: InboundSettings;
  readonly #open = new Set<InboundCall>();
  #announced: { readonly stream: ServerHttp2Stream; readonly headers: IncomingHttpHeaders } | undefined;

  /** `endpoints` has the name of each method's endpoint, by its path. Other methods need no key. */
  constructor(endpoints: ReadonlyMap<string, string>, settings: InboundSettings) {
    this.#endpoints = endpoints;
    this.#settings = settings;
  }

  /** For node:http2's `stream` event, ahead of grpc-js, which opens the call while it handles that event. */
  announce(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    this.#announced = { stream, headers };
  }

  readonly interceptor: ServerInterceptor = ({ path, requestStream, responseStream }, next) => {
    if (this.#announced === undefined) throw new Error('grpc-js opened a call outside of a stream event.');
    const { stream, headers } = this.#announced;
    this.#announced = undefined;
    const call = {
      path,
      endpoint: this.#endpoints.get(path),
      isUnary: !requestStream,
      isAnsweredOnce: !responseStream,
      stream,
      encoding: headers['grpc-encoding']?.toString(),
    };
    const inbound = new InboundCall(next, call, this.#settings);
    // Nothing tells the end of a call whose client reset it before it was opened.
    if (!stream.destroyed && !stream.closed) this.#open.add(inbound);
    void inbound.ended.then(() => this.#open.delete(inbound));
    return inbound;
  };

  /** Ends with `error` whatever has no answer under way. */
  stop(error: ServiceError): void {
    for (const inbound of this.#open) inbound.stop(error);
  }
}
