import { open, stat, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { ServiceError } from '../../../errors/service-error.ts';
import { systemReason } from '../../../errors/system-reason.ts';

/** Bytes of a file, the end not included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A field of a protobuf message. */
export interface Field {
  readonly number: number;
  readonly wire: 'varint' | 'fixed' | 'bytes';
  /** Of a varint; as int64 has it, NaN where that is no safe integer. 0 otherwise. */
  readonly value: number;
  /** Its payload: of a string or message, what comes after the length. */
  readonly content: ByteRange;
  /** Where its tag starts. */
  readonly start: number;
}

const windowBytes = 1 << 16;
/** A tag and a varint. */
const headBytes = 20;
/** A tower of 27 layers has 0.1 million fields and 0.5 MB of names; far more is a mistake or an attack. */
const maxFields = 1_000_000;
const maxTextBytes = 32 * 2 ** 20;
const maxNameBytes = 4096;
const maxProblem = 500;

/**
 * A file of protobuf messages, read field by field through a small window: what is skipped is never read. All that
 * does not fit is `invalid_argument` with one sentence. close() ends it.
 */
export class WireFile {
  /** What messages call the file. */
  readonly label: string;
  readonly sizeBytes: number;
  readonly #file: FileHandle | undefined;
  #window: Uint8Array;
  #windowStart = 0;
  #fields = 0;
  #textBytes = 0;

  private constructor(label: string, sizeBytes: number, file: FileHandle | undefined, window: Uint8Array) {
    this.label = label;
    this.sizeBytes = sizeBytes;
    this.#file = file;
    this.#window = window;
  }

  static async open(path: string): Promise<WireFile> {
    const label = basename(path);
    try {
      const { size } = await stat(path);
      return new WireFile(label, size, await open(path), new Uint8Array());
    } catch (error) {
      const message = `${path} cannot be read: ${systemReason(error)}.`;
      throw new ServiceError('invalid_argument', message, { cause: error });
    }
  }

  /** The same over bytes in memory. */
  static of(bytes: Uint8Array, label: string): WireFile {
    return new WireFile(label, bytes.byteLength, undefined, bytes);
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }

  /** The fields of the message that a range holds, the whole file's when absent. */
  async *fields(
    message: ByteRange = { start: 0, end: this.sizeBytes },
  ): AsyncGenerator<Field, void, undefined> {
    let at = message.start;
    while (at < message.end) {
      const headEnd = Math.min(at + headBytes, message.end);
      const field = this.#field(this.#peek(at, headEnd) ?? (await this.#load(at, headEnd)), at, message.end);
      this.#fields += 1;
      if (this.#fields > maxFields) throw this.fault(`has more than ${maxFields} fields`);
      at = field.content.end;
      yield field;
    }
  }

  /** A name: at most 4 KiB, UTF-8. */
  async text({ content }: Field): Promise<string> {
    const sizeBytes = content.end - content.start;
    this.#textBytes += sizeBytes;
    if (sizeBytes > maxNameBytes) throw this.fault(`has a name of ${sizeBytes} bytes`);
    if (this.#textBytes > maxTextBytes) throw this.fault(`has more than ${maxTextBytes} bytes of names`);
    const bytes = this.#peek(content.start, content.end) ?? (await this.#load(content.start, content.end));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  }

  /** The numbers of a repeated int64 field, packed or one of them. */
  async integers(field: Field, most: number): Promise<number[]> {
    if (field.wire !== 'bytes') return [field.value];
    const { start, end } = field.content;
    const values: number[] = [];
    for (let at = start; at < end; ) {
      const headEnd = Math.min(at + headBytes, end);
      const head = this.#peek(at, headEnd) ?? (await this.#load(at, headEnd));
      const { value, next } = this.#varint(head, 0, at);
      values.push(value);
      if (values.length > most) throw this.fault(`has a list of more than ${most} numbers`);
      at += next;
    }
    return values;
  }

  /**
   * The refusal of this file: `problem` follows its name. Names of the file that are in it are made to fit a line.
   */
  fault(problem: string, options?: { cause: unknown }): ServiceError {
    const line = problem.replaceAll(/\p{Cc}/gu, '?');
    const short = line.length > maxProblem ? `${line.slice(0, maxProblem)}...` : line;
    return new ServiceError('invalid_argument', `${this.label} ${short}.`, options);
  }

  /** The field at `start` of a message that ends at `end`; `head` is its first bytes. */
  #field(head: Uint8Array, start: number, end: number): Field {
    const tag = this.#varint(head, 0, start);
    const number = Math.floor(tag.value / 8);
    if (!(number >= 1 && number < 2 ** 29)) throw this.#damaged(start);
    const after = start + tag.next;
    const bounded = (from: number, sizeBytes: number): ByteRange => {
      if (!(sizeBytes >= 0 && sizeBytes <= end - from)) throw this.#damaged(start);
      return { start: from, end: from + sizeBytes };
    };
    switch (tag.value % 8) {
      case 0: {
        const { value, next } = this.#varint(head, tag.next, start);
        return { number, wire: 'varint', value, content: { start: after, end: start + next }, start };
      }
      case 1:
        return { number, wire: 'fixed', value: 0, content: bounded(after, 8), start };
      case 2: {
        const { value, next } = this.#varint(head, tag.next, start);
        return { number, wire: 'bytes', value: 0, content: bounded(start + next, value), start };
      }
      case 5:
        return { number, wire: 'fixed', value: 0, content: bounded(after, 4), start };
      default:
        throw this.#damaged(start);
    }
  }

  /** The varint at `at` of `bytes`, which come from the field at `where`; and where the next byte is. */
  #varint(bytes: Uint8Array, at: number, where: number): { readonly value: number; readonly next: number } {
    let value = 0;
    for (let i = 0; i < 10; i += 1) {
      const byte = bytes[at + i];
      if (byte === undefined) break;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) {
        const next = at + i + 1;
        return { value: Number.isSafeInteger(value) ? value : signed(bytes.subarray(at, next)), next };
      }
    }
    throw this.#damaged(where);
  }

  #damaged(where: number): ServiceError {
    return this.fault(`is no ONNX file, or truncated or damaged: the field at byte ${where} does not fit`);
  }

  /** Bytes of the window, valid until the next is loaded; undefined when it has not all of them. */
  #peek(start: number, end: number): Uint8Array | undefined {
    const from = start - this.#windowStart;
    const to = end - this.#windowStart;
    return from >= 0 && to <= this.#window.byteLength ? this.#window.subarray(from, to) : undefined;
  }

  /** The same of a window that starts there. */
  async #load(start: number, end: number): Promise<Uint8Array> {
    const buffer = new Uint8Array(Math.min(windowBytes, this.sizeBytes - start));
    const bytesRead = (await this.#file?.read(buffer, 0, buffer.byteLength, start))?.bytesRead ?? 0;
    if (bytesRead < end - start) throw this.fault('became shorter while it was read');
    this.#window = buffer.subarray(0, bytesRead);
    this.#windowStart = start;
    return this.#window.subarray(0, end - start);
  }
}

/** A varint of 64 bits, as an int64; NaN where that is no safe integer. */
function signed(bytes: Uint8Array): number {
  const bits = bytes.reduceRight((sum, byte) => (sum << 7n) | BigInt(byte & 0x7f), 0n);
  const value = Number(BigInt.asIntN(64, bits));
  return Number.isSafeInteger(value) ? value : Number.NaN;
}
