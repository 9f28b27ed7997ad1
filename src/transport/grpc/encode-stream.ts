import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import type { VisualEncoder } from '../../encoding/request.ts';
import { abortFailure } from '../../errors/abort.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { withoutTokens } from '../../telemetry/request-log.ts';
import type { RequestScope } from '../../telemetry/request-scope.ts';
import { byteLengthOf } from '../../tokens/tensor.ts';
import { limitReading } from '../slow-reader.ts';
import type { RequestMessage } from './request-message.ts';
import { read } from './definition.ts';
import type { EncodedMessage, GatheredMessage } from './gathered-message.ts';
import type { StreamEncodeRequest__Output } from './generated/encoder.ts';
import { InboundCall } from './inbound.ts';
import type { GrpcLimits } from './limits.ts';
import { streamedRequest } from './read-request.ts';
import { statusOf } from './status.ts';
import type { StreamHandler } from './stream-handler.ts';
import { writeChunks, writeFailure } from './write-response.ts';

type Call = ServerDuplexStream<RequestMessage, EncodedMessage>;

export interface EncodeStreamParts {
  readonly encoder: VisualEncoder;
  readonly limits: Pick<GrpcLimits, 'maxRequestBytes' | 'maxStreamRequests' | 'reading'>;
}

/** The answer to a request: its tokens, or a failure, as messages. */
interface EncodedRequest {
  readonly messages: readonly GatheredMessage[];
  /** The failure that the messages report. */
  readonly error?: ServiceError;
}

interface AcceptedRequest {
  readonly id: string;
  readonly scope: RequestScope;
  readonly encoded: Promise<EncodedRequest>;
}

const longestId = 128;

/** The handler of grpc-js for StreamEncode. */
export function encodeStream(
  parts: EncodeStreamParts,
): handleBidiStreamingCall<RequestMessage, EncodedMessage> {
  return (call) => new EncodeStream(call, parts).start();
}

/**
 * One StreamEncode call. A request is under way from its arrival until the connection has accepted all of its answer. No
 * message is read while `maxStreamRequests` requests, or `maxRequestBytes` of their messages, are under way. Each answer
 * has at most one chunk in the stream's buffer, so that a short answer can overtake a long one.
 */
class EncodeStream implements StreamHandler {
  readonly #call: Call;
  readonly #inbound: InboundCall;
  readonly #parts: EncodeStreamParts;
  /** The ids of unanswered requests. */
  readonly #ids = new Set<string>();
  #underWay = 0;
  #underWayBytes = 0;
  /** Bytes of answers, begun or not, that the connection has not accepted. */
  #unreadBytes = 0;
  /** Bytes of answers that the connection has accepted. */
  #readBytes = 0;
  #stopLimit = (): void => undefined;
  /** Whether to read no more messages, and to end the call when nothing is under way. */
  #isStopped = false;
  #hasEnded = false;
  /** The status to end the call with; OK if absent. */
  #failure: ServiceError | undefined;

  constructor(call: Call, parts: EncodeStreamParts) {
    this.#call = call;
    this.#inbound = InboundCall.of(call);
    this.#parts = parts;
  }

  /** Begins to read. */
  start(): void {
    const inbound = this.#inbound;
    this.#call.sendMetadata(inbound.callScope.initialMetadata());
    inbound.handler = this;
    inbound.signal.addEventListener('abort', () => this.#stop());
    this.#call.on('data', (message: RequestMessage) => this.#take(message));
    this.#call.on('end', () => this.#stop());
  }

  /** Ends the call with `unavailable` after the answers under way; with OK if the client has half-closed already. */
  drain(): void {
    this.#stop(
      new ServiceError('unavailable', 'The service is stopping. Unanswered requests have not been encoded.'),
    );
  }

  refuse(error: ServiceError): void {
    this.#stop(error);
  }

  mayRead(): boolean {
    const { maxRequestBytes, maxStreamRequests } = this.#parts.limits;
    // A message that the call has read, and not passed on, is not counted yet.
    if (this.#isStopped || this.#call.readableLength > 0) return false;
    return this.#underWay < maxStreamRequests && this.#underWayBytes < maxRequestBytes;
  }

  #take(message: RequestMessage): void {
    // It arrived just before the stream stopped.
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
    this.#inbound.readOn();
  }

  async #serve(message: RequestMessage): Promise<void> {
    const accepted = this.#accept(message);
    if (accepted === undefined) return;
    const { id, scope } = accepted;
    const { messages, error } = await accepted.encoded;
    const unsent = await this.#send(id, messages);
    this.#inbound.callScope.end(scope, error ?? unsent);
  }

  /** Begins to encode a request, or stops the stream if it is not one. The result does not hold the image. */
  #accept(message: RequestMessage): AcceptedRequest | undefined {
    try {
      const caller = this.#inbound.callScope.authenticate();
      const request = this.#readRequest(message.bytes);
      const { id } = request;
      const scope = this.#inbound.callScope.begin(id);
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
      const terms = this.#inbound.callScope.terms(scope.caller);
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

  /** Resolves when the connection has accepted all messages, or with the reason why not. */
  async #send(id: string, messages: readonly GatheredMessage[]): Promise<ServiceError | undefined> {
    let leftBytes = byteLengthOf(messages);
    this.#addUnread(leftBytes);
    try {
      for (const message of messages) {
        // Freed before the last message: a client that has read it may use the id again.
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

  /** Resolves when the connection has accepted the message; rejects if the call ends first. */
  #write(message: GatheredMessage): Promise<void> {
    const { signal } = this.#inbound;
    if (signal.aborted) return Promise.reject(abortFailure(signal));
    return new Promise((resolve, reject) => {
      const leave = (): void => reject(abortFailure(signal));
      signal.addEventListener('abort', leave);
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

  /** Resets the call unless the client reads as much as is unread now, of any answers, in the time for that much. */
  #limitReading(): void {
    const dueBytes = this.#readBytes + this.#unreadBytes;
    this.#stopLimit = limitReading(this.#unreadBytes, this.#parts.limits.reading, () => {
      if (this.#readBytes < dueBytes) this.#inbound.stream.cutOff();
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
    if (!this.#isStopped || this.#underWay > 0 || this.#hasEnded) return;
    this.#hasEnded = true;
    // grpc-js has ended a call whose client left or whose deadline passed.
    if (this.#inbound.signal.aborted) return;
    if (this.#failure === undefined) this.#call.end();
    else this.#call.emit('error', statusOf(this.#failure, this.#inbound.callScope.requestId));
  }

  /**
   * Reads a request with a valid id of its own. Throws `invalid_argument` for any other, which ends the stream: a failure
   * under the id of another request would be taken for that one's answer.
   */
  #readRequest(bytes: Buffer): StreamEncodeRequest__Output {
    const message = read.streamEncodeRequest(bytes);
    const { id } = message;
    if (id.length < 1 || id.length > longestId) {
      throw new ServiceError(
        'invalid_argument',
        `A request of the stream has an id of ${id.length} characters; it must have 1 to ${longestId}, because its answer carries the id.`,
      );
    }
    if (this.#ids.has(id)) {
      throw new ServiceError(
        'invalid_argument',
        `The id ${JSON.stringify(id)} belongs to a request of this stream that is still unanswered.`,
      );
    }
    return message;
  }
}
