import type { Server, ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';

type ServiceAdder = Pick<Server, 'addService'>;
type StreamHandler = (call: ServerWritableStream<unknown, unknown>) => void;

/**
 * The streams that are open on services which end theirs only when the client does (health watches, reflection).
 * A server that waits for its calls to finish would wait for them for ever.
 */
export class OpenStreams {
  readonly #calls = new Set<ServerWritableStream<unknown, unknown>>();

  /** What such a service is added to in place of `server`, so that its streams are known here. */
  addingTo(server: ServiceAdder): ServiceAdder {
    return {
      addService: (definition, implementation) => {
        const tracked = { ...implementation };
        for (const [name, { requestStream, responseStream }] of Object.entries(definition)) {
          const handler = implementation[name] ?? implementation[lowerFirst(name)];
          if (!responseStream || handler === undefined) continue;
          const bound = handler.bind(implementation) as StreamHandler;
          tracked[name] = this.#tracking(requestStream ? atReadersPace(bound) : bound);
        }
        server.addService(definition, tracked);
      },
    };
  }

  /** Ends every open stream with status OK. */
  endAll(): void {
    for (const call of this.#calls) call.end();
    this.#calls.clear();
  }

  #tracking(handler: StreamHandler): StreamHandler {
    return (call) => {
      this.#calls.add(call);
      call.once('cancelled', () => this.#calls.delete(call));
      handler(call);
    };
  }
}

/** Reads on when what it has answered has been read: the library's handlers answer whatever comes. */
function atReadersPace(handler: StreamHandler): StreamHandler {
  return (call) => {
    handler(call);
    const duplex = call as unknown as ServerDuplexStream<unknown, unknown>;
    duplex.on('data', () => {
      if (!duplex.writableNeedDrain) return;
      duplex.pause();
      duplex.once('drain', () => duplex.resume());
    });
  };
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
