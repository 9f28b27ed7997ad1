import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import type { TokenFile } from '../../tokens/formats/token-file.ts';
import { limitReading } from '../slow-reader.ts';
import type { HttpLimits } from './limits.ts';
import { serviceError } from './problem.ts';
import { readInTime } from './read-in-time.ts';

/** One line of an answer that is sent line by line. */
export interface AnswerLine {
  readonly slices: Iterable<Uint8Array>;
  /** The line's approximate length. */
  readonly sizeBytes: number;
}

/**
 * Writes tokens directly to the response, because fastify would copy or buffer them. Buffers go out in one vectored
 * write; slices are made no faster than the client reads.
 */
export class AnswerWriter {
  readonly #reply: FastifyReply;
  readonly #response: ServerResponse;
  readonly #limits: HttpLimits;

  constructor(reply: FastifyReply, limits: HttpLimits) {
    this.#reply = reply;
    this.#response = reply.raw;
    this.#limits = limits;
  }

  /** Sends a whole file of tokens. */
  async sendFile(
    { contentType, contentLength, body }: TokenFile,
    headers: OutgoingHttpHeaders,
  ): Promise<void> {
    if (!this.#begin({ 'content-type': contentType, 'content-length': contentLength, ...headers })) return;
    const response = this.#response;
    readInTime(response, contentLength, this.#limits);
    if (body.kind === 'buffers') {
      response.cork();
      for (const buffer of body.buffers) response.write(buffer);
      response.end();
    } else {
      await this.#write(async () => await this.#writeSlices(body.slices));
    }
  }

  /** Sends each line when it is ready. The client may wait long for a line, but must read each one in time. */
  async sendLines(contentType: string, lines: AsyncIterable<AnswerLine>): Promise<void> {
    if (!this.#begin({ 'content-type': contentType })) return;
    const pace = { graceMs: this.#limits.readGraceMs, bytesPerSecond: this.#limits.readBytesPerSecond };
    await this.#write(async () => {
      for await (const { slices, sizeBytes } of lines) {
        const wasRead = limitReading(sizeBytes, pace, () => this.#response.destroy());
        await this.#writeSlices(slices).finally(wasRead);
        if (this.#response.destroyed) return;
      }
      // Limits the time for what is still buffered.
      readInTime(this.#response, 0, this.#limits);
    });
  }

  #begin(headers: OutgoingHttpHeaders): boolean {
    const { destroyed } = this.#response;
    if (!destroyed) this.#response.writeHead(200, Object.assign(this.#reply.getHeaders(), headers));
    this.#reply.hijack();
    return !destroyed;
  }

  /** Runs `write` and ends the answer. If it fails, closes the connection: half an answer must not look complete. */
  async #write(write: () => Promise<void>): Promise<void> {
    try {
      await write();
      this.#response.end();
    } catch (thrown) {
      const failure = serviceError(thrown);
      const { request } = this.#reply;
      request.scope.failure = failure;
      request.outcome = failure.code;
      this.#response.destroy();
    }
  }

  /** Lets other work run between slices. */
  async #writeSlices(slices: Iterable<Uint8Array>): Promise<void> {
    for (const slice of slices) {
      if (this.#response.destroyed) return;
      if (!this.#response.write(slice)) await drained(this.#response);
      await nextTurn();
    }
  }
}

/** Waits until the response accepts more, or is closed. */
async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.once('drain', done).once('close', done);
    if (response.destroyed) done();
  });
}
