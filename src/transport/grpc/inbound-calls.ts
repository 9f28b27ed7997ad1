import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { ServerInterceptor } from '@grpc/grpc-js';
import type { ServiceError } from '../../errors/service-error.ts';
import { InboundCall, type Method } from './inbound.ts';
import type { InboundSettings } from './inbound-settings.ts';

/** The open calls of a server, and the interceptor that opens them. */
export class InboundCalls {
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #settings: InboundSettings;
  readonly #open = new Set<InboundCall>();
  readonly #halfSentChecks = new Set<InboundCall>();
  #announced: { readonly stream: ServerHttp2Stream; readonly headers: IncomingHttpHeaders } | undefined;

  /** `methods` has the methods that need a key, by path. */
  constructor(methods: ReadonlyMap<string, Method>, settings: InboundSettings) {
    this.#methods = methods;
    this.#settings = settings;
  }

  /** To be called for each `stream` event of node:http2 before grpc-js, which opens the call in the same event. */
  announce(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    this.#announced = { stream, headers };
  }

  readonly interceptor: ServerInterceptor = ({ path, requestStream, responseStream }, next) => {
    if (this.#announced === undefined) throw new Error('grpc-js opened a call outside of a stream event.');
    const { stream, headers } = this.#announced;
    this.#announced = undefined;
    const call = {
      path,
      method: this.#methods.get(path),
      isUnary: !requestStream,
      isAnsweredOnce: !responseStream,
      stream,
      encoding: headers['grpc-encoding']?.toString(),
      halfSentChecks: this.#halfSentChecks,
    };
    const inbound = new InboundCall(next, call, this.#settings);
    // grpc-js does not report the end of a call that its client had reset already.
    if (stream.destroyed || stream.closed) return inbound;
    this.#open.add(inbound);
    inbound.onEnd(() => this.#open.delete(inbound));
    return inbound;
  };

  /** Ends every call that has no answer under way with `error`. */
  stop(error: ServiceError): void {
    for (const inbound of this.#open) inbound.stop(error);
  }
}
