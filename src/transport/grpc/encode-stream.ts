import { type handleBidiStreamingCall, Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import type { VisualEncoder } from '../../encoding/request.ts';
import { abortFailure } from '../../errors/abort.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { withoutTokens } from '../../telemetry/request-log.ts';
import type { RequestScope } from '../../telemetry/request-scope.ts';
import { limitReading } from '../reading-pace.ts';
import { requestIdKey } from '../request-id.ts';
import type { RequestMessage } from './arriving-message.ts';
import { read } from './definition.ts';
import { type GatheredMessage, totalBytes } from './gathered-message.ts';
import type { StreamEncodeRequest__Output } from './generated/StreamEncodeRequest.ts';
import { InboundCall } from './inbound.ts';
import type { GrpcLimits } from './limits.ts';
import { streamedRequest } from './read-request.ts';
import { statusOf } from './status.ts';
import type { EncodedMessage } from './unary.ts';
import { writeChunks, writeFailure } from './write-response.ts';

type Call = ServerDuplexStream<RequestMessage, EncodedMessage>;

export interface EncodeStreamParts {
  readonly encoder: VisualEncoder;
  readonly limits: Pick<GrpcLimits, 'maxRequestBytes' | 'maxStreamRequests' | 'reading'>;
}

/** What a request is answered with; a failure is one of the messages, and named beside them. */
interface EncodedRequest {
  readonly messages: readonly GatheredMessage[];
  readonly error?: ServiceError;
}

interface AcceptedRequest {
  readonly id: string;
  readonly scope: RequestScope;
  readonly encoded: Promise<EncodedRequest>;
}

const longestId = 128;

/** The StreamEncode calls that are open. */
export class EncodeStreams {
  readonly #parts: EncodeStreamParts;
  readonly #open = new Set<EncodeStream>();

  constructor(parts: EncodeStreamParts) {
    this.#parts = parts;
  }

  /** What grpc-js calls for each new stream. */
  handler(): handleBidiStreamingCall<RequestMessage, EncodedMessage> {
    return (call) => {
      const stream = new EncodeStream(call, this.#parts);
      this.#open.add(stream);
      stream.start(() => this.#open.delete(stream));
    };
  }

  /** Has every stream end with `unavailable` after the answers under way. */
  drain(): void {
    for (const stream of this.#open) stream.drain();
  }
}

/**
 * One StreamEncode call. A request is under way from its reading until the last of its answer has been taken by the
 * connection; while `maxStreamRequests` of them are, or `maxRequestBytes` of their messages, none is read. Each answer
 * has at most one chunk in the stream's buffer, so that a short answer passes a long one.
 */
class EncodeStream {
  readonly #call: Call;
  readonly #inbound: InboundCall;
  readonly #parts: EncodeStreamParts;
  /** Of the requests that have not been answered. */
  readonly #ids = new Set<string>();
  #underWay = 0;
  #underWayBytes = 0;
  /** Of the answers that have begun. */
  #unreadBytes = 0;
  #readBytes = 0;
  #stopLimit = (): void => undefined;
  /** No more is read; the call ends when nothing is under way, with `failure` where there is one. */
  #isStopped = false;
  #failure: ServiceError | undefined;
  #onEnd: (() => void) | undefined;

  constructor(call: Call, parts: EncodeStreamParts) {
    this.#call = call;
    this.#inbound = InboundCall.of(call);
    this.#parts = parts;
  }

  /** Begins to read. `onEnd` is called once, when nothing is under way and nothing more is read. */
  start(onEnd: () => void): void {
    this.#onEnd = onEnd;
    const inbound = this.#inbound;
    const headers = new Metadata();
    headers.set(requestIdKey, inbound.requestId);
    this.#call.sendMetadata(headers);
    inbound.mayRead = () => this.#hasRoom();
    inbound.onRefusal = (error) => this.#stop(error);
    inbound.signal.addEventListener('abort', () => this.#stop(), { once: true });
    this.#call.on('data', (message: RequestMessage) => this.#take(message));
    this.#call.on('end', () => this.#stop());
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

  #hasRoom(): boolean {
    const { maxRequestBytes, maxStreamRequests } = this.#parts.limits;
    return !this.#isStopped && this.#underWay < maxStreamRequests && this.#underWayBytes < maxRequestBytes;
  }

  #take(message: RequestMessage): void {
    // It was on its way when the stream stopped.
    if (this.#isStopped) {
      message.release();
      return;
    }
    const sizeBytes = message.bytes.byteLength;
    this.#underWay += 1;
    this.#underWayBytes += sizeBytes;
    void this.#serve(message).then(() => {
      this.#underWay -= 1;
      this.#underWayBytes -= sizeBytes;
      this.#inbound.readOn();
      this.#endWhenIdle();
    });
  }

  async #serve(message: RequestMessage): Promise<void> {
    const accepted = this.#accept(message);
    if (accepted === undefined) return;
    const { id, scope } = accepted;
    const { messages, error } = await accepted.encoded;
    const unsent = await this.#send(id, messages);
    this.#inbound.endScope(scope, error ?? unsent);
  }

  /** Begins to encode a request; ends the stream for what is none. What it gives does not hold the image. */
  #accept(message: RequestMessage): AcceptedRequest | undefined {
    try {
      const caller = this.#inbound.authenticate();
      const request = this.#readRequest(message.bytes);
      const { id } = request;
      const scope = this.#inbound.beginScope(id);
      scope.caller = caller;
      this.#ids.add(id);
      return { id, scope, encoded: this.#encode(request, scope, message) };
    } catch (thrown) {
      message.release();
      const error = ServiceError.from(thrown);
      this.#inbound.report(error);
      this.#stop(error);
      return undefined;
    }
  }

  async #encode(
    request: StreamEncodeRequest__Output,
    scope: RequestScope,
    message: RequestMessage,
  ): Promise<EncodedRequest> {
    const { signal } = this.#inbound;
    try {
      const terms = this.#inbound.terms(scope.caller);
      const asked = streamedRequest(request, { terms, trace: scope.trace, signal });
      const answer = await this.#parts.encoder.encode(asked);
      scope.hold(answer.release);
      scope.answer = withoutTokens(answer);
      return { messages: writeChunks(request.id, answer) };
    } catch (thrown) {
      const error = ServiceError.from(thrown);
      return { messages: [writeFailure(request.id, error)], error };
    } finally {
      message.release();
    }
  }

  /** Resolves when the connection has taken all of it, or with why it has not. */
  async #send(id: string, messages: readonly GatheredMessage[]): Promise<ServiceError | undefined> {
    let leftBytes = totalBytes(messages);
    this.#addUnread(leftBytes);
    try {
      for (const message of messages) {
        // Free before the last one leaves: whoever has read it may use the id again.
        if (message === messages.at(-1)) this.#ids.delete(id);
        await this.#write(message);
        leftBytes -= message.byteLength;
        this.#readBytes += message.byteLength;
        this.#addUnread(-message.byteLength);
      }
      return undefined;
    } catch (thrown) {
      return ServiceError.from(thrown);
    } finally {
      this.#addUnread(-leftBytes);
    }
  }

  /** Resolves when the connection has taken the message; rejects when the call ends before it has. */
  #write(message: GatheredMessage): Promise<void> {
    const { signal } = this.#inbound;
    if (signal.aborted) return Promise.reject(abortFailure(signal));
    return new Promise((resolve, reject) => {
      const leave = (): void => reject(abortFailure(signal));
      signal.addEventListener('abort', leave, { once: true });
      this.#call.write(message, (error: Error | null | undefined) => {
        signal.removeEventListener('abort', leave);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  #addUnread(sizeBytes: number): void {
    const wasUnread = this.#unreadBytes > 0;
    this.#unreadBytes += sizeBytes;
    if (this.#unreadBytes === 0) this.#stopLimit();
    else if (!wasUnread) this.#limitReading();
  }

  /** Ends the call unless as much as is unread now has been read in time. Answers take turns, so that any will do. */
  #limitReading(): void {
    const dueBytes = this.#readBytes + this.#unreadBytes;
    this.#stopLimit = limitReading(this.#unreadBytes, this.#parts.limits.reading, () => {
      if (this.#readBytes < dueBytes) this.#inbound.cutOff();
      else this.#limitReading();
    });
  }

  #stop(failure?: ServiceError): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#failure = failure;
    this.#endWhenIdle();
  }

  #endWhenIdle(): void {
    const onEnd = this.#onEnd;
    if (!this.#isStopped || this.#underWay > 0 || onEnd === undefined) return;
    this.#onEnd = undefined;
    onEnd();
    // grpc-js ends a call by itself whose client left or whose deadline passed.
    if (this.#inbound.signal.aborted) return;
    if (this.#failure === undefined) this.#call.end();
    else this.#call.emit('error', statusOf(this.#failure, this.#inbound.requestId));
  }

  /**
   * A request that can be answered: it has a valid id of its own. Throws `invalid_argument` for any other, which ends the
   * stream: a failure by another's id would be taken for that one's.
   */
  #readRequest(bytes: Buffer): StreamEncodeRequest__Output {
    const message = read.streamEncodeRequest(bytes);
    const { id } = message;
    if (id.length < 1 || id.length > longestId) {
      throw new ServiceError(
        'invalid_argument',
        `A request of the stream has an id of ${id.length} characters; it must have 1 to ${longestId}, since its answer carries it.`,
      );
    }
    if (this.#ids.has(id)) {
      throw new ServiceError(
        'invalid_argument',
        `The id ${JSON.stringify(id)} is that of a request of this stream that is still unanswered.`,
      );
    }
    return message;
  }
}
