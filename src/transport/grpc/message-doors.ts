import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { AdmitBytes } from '../../admission/byte-budget.ts';
import type { Caller } from '../../admission/caller.ts';
import type { ServiceError } from '../../errors/service-error.ts';
import type { Authenticate } from '../security/authenticate.ts';
import { streamOf } from './call-stream.ts';
import { MessageDoor, type MessageRoom, noRoom } from './message-door.ts';

export interface DoorsSettings {
  readonly authenticate: Authenticate;
  /** Takes room for what comes to the methods of `endpoints`. */
  readonly admitMessage: AdmitBytes;
  /** The methods that have room of their own, by their paths; health checks and reflection have none. */
  readonly endpoints: ReadonlyMap<string, string>;
  readonly streaming: ReadonlySet<string>;
  readonly maxBytes: number;
  readonly arriveMs: number;
}

/** No message of a health check or of reflection is longer. */
const openServicesBytes = 1024;

/** The doors of a server's calls. */
export class MessageDoors {
  readonly #settings: DoorsSettings;
  readonly #doors = new Map<ServerHttp2Stream, MessageDoor>();

  constructor(settings: DoorsSettings) {
    this.#settings = settings;
  }

  /** For a server's `stream` event, ahead of grpc-js. */
  open(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const { endpoints, streaming, maxBytes, arriveMs } = this.#settings;
    const path = headers[':path'] ?? '';
    const room = endpoints.has(path)
      ? { admit: this.#admitFor(headers), maxBytes, refuses: true }
      : { admit: () => () => undefined, maxBytes: openServicesBytes, refuses: false };
    const isUnary = !streaming.has(path);
    this.#doors.set(stream, new MessageDoor(stream, { ...room, arriveMs, isUnary }));
    stream.once('close', () => this.#doors.delete(stream));
  }

  /** The room of the message that a call's handler has come to. */
  roomOf(call: object): MessageRoom {
    const stream = streamOf(call);
    const door = stream === undefined ? undefined : this.#doors.get(stream);
    return door?.next() ?? noRoom();
  }

  /** Refuses the messages that have not wholly arrived. */
  refuseAll(error: ServiceError): void {
    for (const door of this.#doors.values()) door.refuse(error);
  }

  /** Who has no key has no room either. Whose it is, is looked up once for all that arrives. */
  #admitFor({ authorization, 'x-api-key': key }: IncomingHttpHeaders): (sizeBytes: number) => () => void {
    const { authenticate, admitMessage } = this.#settings;
    let caller: Caller | undefined;
    return (sizeBytes) => {
      caller ??= authenticate({ authorization, 'x-api-key': key?.toString() });
      return admitMessage(sizeBytes, caller);
    };
  }
}
