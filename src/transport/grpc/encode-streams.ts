import type { handleBidiStreamingCall } from '@grpc/grpc-js';
import { EncodeStream, type EncodeStreamParts } from './encode-stream.ts';
import type { ArrivedMessage } from './message-door.ts';
import type { EncodedMessage } from './unary.ts';

/** The StreamEncode calls that are open, so that a server that drains can end them. */
export class EncodeStreams {
  readonly #parts: EncodeStreamParts;
  readonly #open = new Set<EncodeStream>();
  #draining = false;

  constructor(parts: EncodeStreamParts) {
    this.#parts = parts;
  }

  /** What grpc-js calls for each new stream. */
  handler(): handleBidiStreamingCall<ArrivedMessage, EncodedMessage> {
    return (call) => {
      const stream = new EncodeStream(call, this.#parts);
      this.#open.add(stream);
      stream.start(() => this.#open.delete(stream));
      if (this.#draining) stream.drain();
    };
  }

  /** Has every stream end after the answers under way, those to come at once. */
  drain(): void {
    this.#draining = true;
    for (const stream of this.#open) stream.drain();
  }
}
