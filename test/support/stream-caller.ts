import { EventEmitter, once } from 'node:events';
import type { ClientDuplexStream, Metadata, StatusObject } from '@grpc/grpc-js';
import type { AnswerMetadata, CallSettings, TestClient, Timings } from './grpc-client.ts';

export interface Failure {
  readonly reason: string;
  readonly code: number;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** StreamEncodeResponse as a client that loads encoder.proto sees it. */
export interface StreamMessage {
  readonly id: string;
  readonly chunk?: {
    readonly metadata: AnswerMetadata | null;
    readonly timings: Timings | null;
    readonly offset: number;
    readonly totalBytes: number;
    readonly data: Buffer;
  };
  readonly failure?: Failure;
}

/** A whole answer, put together from its chunks. */
export interface StreamAnswer {
  readonly metadata: AnswerMetadata;
  readonly timings: Timings;
  readonly data: Buffer;
}

/** One StreamEncode call, whose answers are put together as encoder.proto tells a client to. */
export class StreamCaller {
  /** Every message, in the order of arrival. */
  readonly messages: StreamMessage[] = [];
  /** What each request was answered with, by the order in which they were done. */
  readonly finished: (readonly [id: string, StreamAnswer | Failure])[] = [];
  readonly headers: Promise<Metadata>;
  readonly status: Promise<StatusObject>;
  readonly #call: ClientDuplexStream<object, StreamMessage>;
  readonly #partial = new Map<string, StreamAnswer>();
  readonly #events = new EventEmitter();

  constructor(client: TestClient, settings: Omit<CallSettings, 'signal'> = {}) {
    this.#call = client.duplex<StreamMessage>('StreamEncode', settings);
    this.#call.on('error', () => {});
    // Not with once(), which rejects at a failure.
    this.headers = new Promise((resolve) => this.#call.once('metadata', resolve));
    this.status = new Promise((resolve) => this.#call.once('status', resolve));
    this.#call.on('data', (message: StreamMessage) => this.#receive(message));
  }

  send(id: string, request: object): void {
    this.#call.write({ id, ...request });
  }

  halfClose(): void {
    this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
  }

  /** What the first request to be done with this id was answered with, once it is. */
  async outcome(id: string): Promise<StreamAnswer | Failure> {
    for (;;) {
      const found = this.finished.find(([finishedId]) => finishedId === id);
      if (found !== undefined) return found[1];
      await once(this.#events, 'finished');
    }
  }

  async answer(id: string): Promise<StreamAnswer> {
    const outcome = await this.outcome(id);
    if ('reason' in outcome) throw new Error(`${id} failed: ${outcome.message}`);
    return outcome;
  }

  async failure(id: string): Promise<Failure> {
    const outcome = await this.outcome(id);
    if ('reason' in outcome) return outcome;
    throw new Error(`${id} was answered`);
  }

  #receive(message: StreamMessage): void {
    this.messages.push(message);
    const { id, chunk, failure } = message;
    if (failure !== undefined) this.#finish(id, failure);
    if (chunk === undefined) return;
    const { metadata, timings, offset, totalBytes, data } = chunk;
    if (metadata !== null && timings !== null)
      this.#partial.set(id, { metadata, timings, data: Buffer.alloc(totalBytes) });
    const answer = this.#partial.get(id)!;
    data.copy(answer.data, offset);
    if (offset + data.byteLength < totalBytes) return;
    this.#partial.delete(id);
    this.#finish(id, answer);
  }

  #finish(id: string, outcome: StreamAnswer | Failure): void {
    this.finished.push([id, outcome]);
    this.#events.emit('finished');
  }
}
