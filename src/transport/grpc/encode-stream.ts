import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import type { Caller } from '../../admission/caller.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { ReadingLimit } from '../slow-reader.ts';
import type { EncodeAnswer, VisualEncoder } from '../../encoding/request.ts';
import type { Authenticate } from '../security/authenticate.ts';
import { callerOf } from './call-caller.ts';
import { callSignal } from './call-signal.ts';
import { callTerms } from './call-terms.ts';
import { read } from './definition.ts';
import { streamedRequestOf } from './read-request.ts';
import { cutOff } from './call-stream.ts';
import { statusOf } from './status.ts';
import type { GrpcLimits } from './limits.ts';
import type { StreamEncodeRequestMessage } from './messages.ts';
import type { GatheredMessage } from './gathered-message.ts';
import { requestIdKey, requestIdOf } from '../request-id.ts';
import type { Trace } from '../../telemetry/trace.ts';
import { report, type RequestWatch, traceCall } from './request-watch.ts';
import { answerMessages, failureMessage } from './stream-response.ts';
import { type ArrivedMessage, type MessageRoom, noBytes } from './message-door.ts';
import type { MessageDoors } from './message-doors.ts';
import type { EncodedMessage } from './unary.ts';

export interface EncodeStreamParts extends RequestWatch {
  readonly encoder: VisualEncoder;
  readonly authenticate: Authenticate;
  readonly doors: Pick<MessageDoors, 'roomOf'>;
  readonly limits: Pick<
    GrpcLimits,
    'maxRequestBytes' | 'maxStreamRequests' | 'readGraceMs' | 'readBytesPerSecond'
  >;
}

/** A request and what it is answered with. */
interface EncodedRequest {
  readonly caller: Caller;
  readonly id: string;
  readonly messages: readonly GatheredMessage[];
  readonly answer: EncodeAnswer | undefined;
  readonly error: ServiceError | undefined;
}

const longestId = 128;

/**
 * One StreamEncode call. A request is under way from its reading until the last of its answer has been taken by the
 * connection; while `maxStreamRequests` of them are, or `maxRequestBytes` of their messages, none is read. Each
 * answer has at most one chunk in the stream's buffer, so that a short answer passes a long one.
 */
export class EncodeStream {
  readonly #call: ServerDuplexStream<ArrivedMessage, EncodedMessage>;
  readonly #parts: EncodeStreamParts;
  readonly #requestId: string;
  readonly #ending: ReturnType<typeof callSignal>;
  /** Of the requests that have not been answered. */
  readonly #ids = new Set<string>();
  readonly #reading: ReadingLimit;
  /** Messages that the connection has not taken. */
  #writing = 0;
  #underWay = 0;
  #underWayBytes = 0;
  /** A read that waits for room. */
  #heldRead: (() => void) | undefined;
  /** No more is read; the call ends when nothing is under way, with `failure` where there is one. */
  #stopped = false;
  #failure: ServiceError | undefined;
  #onEnd: (() => void) | undefined;

  constructor(call: ServerDuplexStream<ArrivedMessage, EncodedMessage>, parts: EncodeStreamParts) {
    this.#call = call;
    this.#parts = parts;
    this.#requestId = requestIdOf(call.metadata.get(requestIdKey)[0]);
    this.#ending = callSignal(call);
    this.#reading = new ReadingLimit({
      graceMs: parts.limits.readGraceMs,
      bytesPerSecond: parts.limits.readBytesPerSecond,
      onLate: () => cutOff(call),
      now: () => performance.now(),
    });
  }

  /** Begins to read. `onEnd` is called once, when nothing is under way and nothing more is read. */
  start(onEnd: () => void): void {
    const call = this.#call;
    this.#onEnd = onEnd;
    const headers = new Metadata();
    headers.set(requestIdKey, this.#requestId);
    call.sendMetadata(headers);

    // A paused Readable still reads sixteen messages ahead, each as large as a request may be. Holding back its
    // _read, Node's hook for sources, leaves them in the connection, where flow control stops the client.
    const readNext = call['_read'].bind(call);
    call['_read'] = (size) => {
      this.#heldRead = () => readNext(size);
      this.#readOn();
    };
    call.on('data', (message: ArrivedMessage) => this.#take(message));
    call.on('end', () => this.#stop());
    const { signal } = this.#ending;
    signal.addEventListener('abort', () => this.#stop(), { once: true });
    if (signal.aborted) this.#stop();
  }

  /** Ends the call with `unavailable` after the answers under way; as ever, where the client has ended its side. */
  drain(): void {
    this.#stop(
      new ServiceError(
        'unavailable',
        'The service is stopping. What it has not answered it has not encoded.',
      ),
    );
  }

  #take(message: ArrivedMessage): void {
    const room = this.#parts.doors.roomOf(this.#call);
    room.settle(message.bytes.byteLength);
    // It was on its way when the stream stopped.
    if (this.#stopped) {
      room.release();
      return;
    }
    const sizeBytes = message.bytes.byteLength;
    this.#underWay += 1;
    this.#underWayBytes += sizeBytes;
    void this.#serve(message, room).then(() => {
      this.#underWay -= 1;
      this.#underWayBytes -= sizeBytes;
      this.#readOn();
      this.#endWhenIdle();
    });
  }

  #readOn(): void {
    const heldRead = this.#heldRead;
    if (heldRead === undefined || this.#stopped) return;
    const { maxRequestBytes, maxStreamRequests } = this.#parts.limits;
    // What the Readable holds has been read and is not under way yet.
    if (this.#underWay + this.#call.readableLength >= maxStreamRequests) return;
    if (this.#underWayBytes >= maxRequestBytes) return;
    this.#heldRead = undefined;
    heldRead();
  }

  async #serve(arrived: ArrivedMessage, room: MessageRoom): Promise<void> {
    const call = this.#call;
    this.#parts.onBegin?.();
    const startedMs = performance.now();
    const begun = traceCall(this.#parts, call.metadata, startedMs);
    const request = {
      ...begun,
      endpoint: 'stream_encode',
      path: call.getPath(),
      requestId: this.#requestId,
      peer: call.getPeer(),
      startedMs,
    };
    let encoded: EncodedRequest;
    try {
      encoded = await this.#encode(arrived.bytes, room.refusal, begun.trace);
    } catch (thrown) {
      const error = ServiceError.from(thrown);
      this.#stop(error);
      report(this.#parts, request, error);
      return;
    } finally {
      // A client that does not read its answer is not to hold what it sent.
      arrived.bytes = noBytes;
      room.release();
    }
    const error = await this.#send(encoded);
    const { caller, id, answer } = encoded;
    report(this.#parts, { ...request, caller: caller.name, streamedId: id, answer }, error);
  }

  /**
   * The answer to a message. Throws what ends the stream: a key that lets nobody in, or a message without an id of
   * its own.
   */
  async #encode(
    bytes: Buffer,
    refusal: ServiceError | undefined,
    trace: Trace | undefined,
  ): Promise<EncodedRequest> {
    // Anew for each: a key may be taken back while its stream is open.
    const caller = callerOf(this.#call.metadata, this.#parts.authenticate);
    const request = readRequest(bytes, refusal);
    const { id } = request;
    // A failure by that id would be taken for the first one's.
    if (this.#ids.has(id)) {
      throw new ServiceError(
        'invalid_argument',
        `The id ${JSON.stringify(id)} is that of a request of this stream that is still unanswered.`,
      );
    }
    this.#ids.add(id);
    try {
      if (refusal !== undefined) throw refusal;
      const { signal } = this.#ending;
      const terms = callTerms(this.#call, caller);
      const answer = await this.#parts.encoder.encode(streamedRequestOf(request, { terms, trace, signal }));
      return { caller, id, messages: answerMessages(id, answer), answer, error: undefined };
    } catch (thrown) {
      const error = ServiceError.from(thrown);
      return { caller, id, messages: [failureMessage(id, error)], answer: undefined, error };
    }
  }

  /** Resolves when the connection has taken all of it, with what the request failed for. */
  async #send({ id, messages, answer, error }: EncodedRequest): Promise<ServiceError | undefined> {
    try {
      for (const message of messages) {
        // Free before the last one leaves: whoever has read it may use the id again.
        if (message === messages.at(-1)) this.#ids.delete(id);
        await this.#write(message);
      }
      return error;
    } catch (thrown) {
      return error ?? ServiceError.from(thrown);
    } finally {
      answer?.release();
    }
  }

  /** Resolves when the connection has taken the message; rejects when the call ends before it has. */
  #write(message: GatheredMessage): Promise<void> {
    const { signal } = this.#ending;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#written(message);
        reject(signal.reason as ServiceError);
      };
      this.#writing++;
      this.#reading.add(message.byteLength);
      if (signal.aborted) {
        leave();
        return;
      }
      this.#reading.start();
      signal.addEventListener('abort', leave, { once: true });
      this.#call.write(message, (error: Error | null | undefined) => {
        if (signal.aborted) return;
        this.#written(message);
        signal.removeEventListener('abort', leave);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  #written({ byteLength }: GatheredMessage): void {
    this.#writing--;
    this.#reading.read(byteLength);
    if (this.#writing === 0) this.#reading.stop();
  }

  #stop(failure?: ServiceError): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#failure = failure;
    this.#endWhenIdle();
  }

  #endWhenIdle(): void {
    const onEnd = this.#onEnd;
    if (!this.#stopped || this.#underWay > 0 || onEnd === undefined) return;
    this.#onEnd = undefined;
    this.#ending.release();
    onEnd();
    // grpc-js ends a call by itself whose client left or whose deadline passed.
    if (this.#ending.signal.aborted) return;
    if (this.#failure === undefined) {
      this.#call.end();
      return;
    }
    const failure = statusOf(this.#failure);
    failure.metadata?.set(requestIdKey, this.#requestId);
    this.#call.emit('error', failure);
  }
}

/**
 * A StreamEncodeRequest that can be answered. Throws `invalid_argument` for what is none, or has no valid id; what
 * it was refused for where that is why there is no id.
 */
function readRequest(bytes: Buffer, refusal: ServiceError | undefined): StreamEncodeRequestMessage {
  const message = read.streamEncodeRequest(bytes);
  const { length } = message.id;
  if (length >= 1 && length <= longestId) return message;
  throw (
    refusal ??
    new ServiceError(
      'invalid_argument',
      `A request of the stream has an id of ${length} characters; it must have 1 to ${longestId}, since its answer carries it.`,
    )
  );
}
