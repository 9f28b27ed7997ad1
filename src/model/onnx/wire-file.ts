import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { ServiceError } from '../../errors.ts';
import { systemReason } from '../../system-reason.ts';

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
      const file = await open(path);
      return new WireFile(label, (await file.stat()).size, file, new Uint8Array());
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
      const field = await this.#field(at, message.end);
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
    return Buffer.from(await this.#bytes(content.start, sizeBytes)).toString('utf8');
  }

  /** The numbers of a repeated int64 field, packed or one of them. */
  async integers(field: Field, most: number): Promise<number[]> {
    if (field.wire !== 'bytes') return [field.value];
    const { start, end } = field.content;
    const values: number[] = [];
    for (let at = start; at < end; ) {
      const { value, next } = this.#varint(
        await this.#bytes(at, Math.min(headBytes, end - at)),
        0,
        `a number at byte ${at}`,
      );
      values.push(value);
      if (values.length > most) throw this.fault(`has a list of more than ${most} numbers`);
      at += next;
    }
    return values;
  }

  /** The refusal of this file: `problem` follows its name. */
  fault(problem: string, options?: { cause: unknown }): ServiceError {
    return new ServiceError('invalid_argument', `${this.label} ${problem}.`, options);
  }

  async #field(start: number, end: number): Promise<Field> {
    const head = await this.#bytes(start, Math.min(headBytes, end - start));
    const where = `the field at byte ${start}`;
    const tag = this.#varint(head, 0, where);
    const number = Math.floor(tag.value / 8);
    if (!(number >= 1 && number < 2 ** 29)) throw this.#damaged(where);
    const after = start + tag.next;
    const bounded = (from: number, sizeBytes: number): ByteRange => {
      if (!(sizeBytes >= 0 && sizeBytes <= end - from)) throw this.#damaged(where);
      return { start: from, end: from + sizeBytes };
    };
    switch (tag.value % 8) {
      case 0: {
        const { value, next } = this.#varint(head, tag.next, where);
        return { number, wire: 'varint', value, content: { start: after, end: start + next }, start };
      }
      case 1:
        return { number, wire: 'fixed', value: 0, content: bounded(after, 8), start };
      case 2: {
        const { value, next } = this.#varint(head, tag.next, where);
        return { number, wire: 'bytes', value: 0, content: bounded(start + next, value), start };
      }
      case 5:
        return { number, wire: 'fixed', value: 0, content: bounded(after, 4), start };
      default:
        throw this.#damaged(where);
    }
  }

  /** The varint at `at` of `bytes`, and where the next byte is. */
  #varint(bytes: Uint8Array, at: number, where: string): { readonly value: number; readonly next: number } {
    let value = 0;
    for (let i = 0; i < 10; i += 1) {
      const byte = bytes[at + i];
      if (byte === undefined) break;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return { value: signed(value, bytes.subarray(at, at + i + 1)), next: at + i + 1 };
    }
    throw this.#damaged(where);
  }

  #damaged(where: string): ServiceError {
    return this.fault(`is no ONNX file, or truncated or damaged: ${where} does not fit`);
  }

  /** A view that is valid until the next call. */
  async #bytes(offset: number, sizeBytes: number): Promise<Uint8Array> {
    const from = offset - this.#windowStart;
    if (from >= 0 && from + sizeBytes <= this.#window.byteLength) {
      return this.#window.subarray(from, from + sizeBytes);
    }
    const buffer = new Uint8Array(Math.min(windowBytes, this.sizeBytes - offset));
    const bytesRead = (await this.#file?.read(buffer, 0, buffer.byteLength, offset))?.bytesRead ?? 0;
    if (bytesRead < sizeBytes) throw this.fault('became shorter while it was read');
    this.#window = buffer.subarray(0, bytesRead);
    this.#windowStart = offset;
    return this.#window.subarray(0, sizeBytes);
  }
}

/** A varint's value as an int64, from the double that it is when small, and its bytes. */
function signed(value: number, bytes: Uint8Array): number {
  if (Number.isSafeInteger(value)) return value;
  const bits = bytes.reduceRight((sum, byte) => (sum << 7n) | BigInt(byte & 0x7f), 0n);
  const exact = Number(BigInt.asIntN(64, bits));
  return Number.isSafeInteger(exact) ? exact : Number.NaN;
}
