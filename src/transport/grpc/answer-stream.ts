import { constants, type ServerHttp2Stream } from 'node:http2';

/** How long a client may take to half-close after the answer, before its stream is closed. */
const closeMs = 1000;

/** The HTTP/2 stream of a call, for what grpc-js leaves undone at its end. */
export class AnswerStream {
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    stream.once('finish', () => this.#closeSoon());
  }

  /** Whether the call ended before the client had received the whole answer. */
  get wasCutOff(): boolean {
    const { rstCode, writableFinished } = this.#stream;
    return rstCode !== constants.NGHTTP2_NO_ERROR || !writableFinished;
  }

  /** Resets a call whose client does not read its answer. grpc-js itself would wait forever. */
  cutOff(): void {
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  /** Closes the stream of an answered call whose client does not half-close. */
  #closeSoon(): void {
    const timer = setTimeout(() => this.#stream.close(constants.NGHTTP2_NO_ERROR), closeMs);
    this.#stream.once('close', () => clearTimeout(timer));
  }
}
