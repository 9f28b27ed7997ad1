import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import type { AdmitBytes } from '../byte-room.ts';
import type { Caller } from '../caller.ts';
import { ServiceError } from '../errors.ts';
import { ReadingLimit } from '../reading-limit.ts';
import type { LoggedAnswer } from '../request-log.ts';
import type { EncodeAnswer, VisualEncoder } from '../request.ts';
import type { Authenticate } from '../security/authenticate.ts';
import { callerOf } from './call-caller.ts';
import { callSignal } from './call-signal.ts';
import { callTerms } from './call-terms.ts';
import { read } from './definition.ts';
import { streamedRequestOf } from './encode-request.ts';
import { cutOff } from './cut-off.ts';
import { statusOf } from './errors.ts';
import type { GrpcLimits } from './limits.ts';
import type { StreamEncodeRequestMessage } from './messages.ts';
import type { GatheredMessage } from './protobuf.ts';
import { requestIdKey, requestIdOf } from '../request-id.ts';
import type { Trace } from '../tracing/trace.ts';
import { report, type RequestWatch, traceCall } from './request-watch.ts';
import { answerMessages, failureMessage } from './stream-response.ts';
import type { EncodedMessage } from './unary.ts';

export interface EncodeStreamParts extends RequestWatch {
  readonly encoder: VisualEncoder;
  readonly authenticate: Authenticate;
  readonly admitMessage: AdmitBytes;
  readonly limits: Pick<
    GrpcLimits,
    'maxRequestBytes' | 'maxStreamRequests' | 'readGraceMs' | 'readBytesPerSecond'
  >;
}

const longestId = 128;

/**
 * One StreamEncode call. A request is under way from its reading until the last of its answer has been taken by the
 * connection; while `maxStreamRequests` of them are, or `maxRequestBytes` of their messages, none is read. Each answer
 * has at most one chunk in the stream's buffer, so that a short answer passes a long one.
 */
export class EncodeStream {
  readonly #call: ServerDuplexStream<Buffer, EncodedMessage>;
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

  constructor(call: ServerDuplexStream<Buffer, EncodedMessage>, parts: EncodeStreamParts) {
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

    // A paused Readable still reads sixteen messages ahead, each as large as a request may be. Holding back its _read,
    // Node's hook for sources, leaves them in the connection, where flow control stops the client.
    const readNext = call['_read'].bind(call);
    call['_read'] = (size) => {
      this.#heldRead = () => readNext(size);
      this.#readOn();
    };
    call.on('data', (bytes: Buffer) => this.#take(bytes));
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

  #take(bytes: Buffer): void {
    // It was on its way when the stream stopped.
    if (this.#stopped) return;
    this.#underWay += 1;
    this.#underWayBytes += bytes.byteLength;
    void this.#serve(bytes).then(() => {
      this.#underWay -= 1;
      this.#underWayBytes -= bytes.byteLength;
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

  async #serve(bytes: Buffer): Promise<void> {
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
    let caller: Caller;
    let message: StreamEncodeRequestMessage;
    try {
      // Anew for each: a key may be taken back while its stream is open.
      caller = callerOf(call.metadata, this.#parts.authenticate);
      message = readRequest(bytes);
    } catch (thrown) {
      const error = ServiceError.from(thrown);
      this.#stop(error);
      report(this.#parts, request, error);
      return;
    }
    const { error, answer } = await this.#answer(message, bytes.byteLength, caller, begun.trace);
    report(this.#parts, { ...request, caller: caller.name, streamedId: message.id, answer }, error);
  }

  /** Answers a request, and gives what with. */
  async #answer(
    request: StreamEncodeRequestMessage,
    sizeBytes: number,
    caller: Caller,
    trace: Trace | undefined,
  ): Promise<{ readonly error?: ServiceError | undefined; readonly answer?: LoggedAnswer | undefined }> {
    const { id } = request;
    const twice = this.#ids.has(id);
    this.#ids.add(id);
    let error: ServiceError | undefined;
    let messages: readonly GatheredMessage[];
    let answer: EncodeAnswer | undefined;
    let encoded: (() => void) | undefined;
    try {
      if (twice)
        throw new ServiceError('invalid_argument', `The id ${JSON.stringify(id)} is still unanswered.`);
      const { encoder, admitMessage } = this.#parts;
      encoded = admitMessage(sizeBytes, caller);
      const { signal } = this.#ending;
      const terms = callTerms(this.#call, caller);
      answer = await encoder.encode(streamedRequestOf(request, { terms, trace, signal }));
      messages = answerMessages(id, answer);
    } catch (thrown) {
      error = ServiceError.from(thrown);
      messages = [failureMessage(id, error)];
    } finally {
      encoded?.();
    }
    try {
      for (const message of messages) {
        // Free before the last one leaves: whoever has read it may use the id again.
        if (!twice && message === messages.at(-1)) this.#ids.delete(id);
        await this.#write(message);
      }
    } catch (thrown) {
      error ??= ServiceError.from(thrown);
    } finally {
      answer?.release();
    }
    return { error, answer };
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

/** A StreamEncodeRequest that can be answered. Throws `invalid_argument` for what is none, or has no valid id. */
function readRequest(bytes: Buffer): StreamEncodeRequestMessage {
  const message = read.streamEncodeRequest(bytes);
  const { length } = message.id;
  if (length < 1 || length > longestId)
    throw new ServiceError(
      'invalid_argument',
      `A request of the stream has an id of ${length} characters; it must have 1 to ${longestId}, since its answer carries it.`,
    );
  return message;
}
