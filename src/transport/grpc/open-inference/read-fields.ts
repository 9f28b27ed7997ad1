import protobuf from 'protobufjs/minimal.js';
import { invalid } from '../../open-inference/infer-request.ts';

/** Reads the value of a field. A string, bytes or a message ends at `end`. */
export type ReadField = (end: number) => unknown;

/** Functions that read the wanted fields of a message, by tag. */
export type Fields = Readonly<Record<number, ReadField>>;

/** Tags of fields: the field number times 8, and the wire type. */
export const tagOf = {
  integer: (number: number) => number * 8,
  double: (number: number) => number * 8 + 1,
  bytes: (number: number) => number * 8 + 2,
} as const;

const bytesType = 2;

/** Far more fields than a request has. Each costs the main thread time, and the smallest takes two bytes. */
const mostFields = 65_536;

/** Reads a message of protobuf without copying its bytes. Every function throws if the bytes are not of that kind. */
export class FieldReader {
  readonly #reader: protobuf.Reader;
  readonly #message: Buffer;
  readonly #count: { fields: number };

  constructor(message: Buffer, count = { fields: 0 }) {
    this.#reader = protobuf.Reader.create(message);
    this.#message = message;
    this.#count = count;
  }

  /** A reader of a message in this one. Its fields count towards the limit of this one. */
  within(message: Buffer): FieldReader {
    return new FieldReader(message, this.#count);
  }

  /** Reads the fields up to `end`, and skips those that are not wanted. */
  read(fields: Fields, end = this.#message.byteLength): void {
    const reader = this.#reader;
    while (reader.pos < end) {
      this.#count.fields++;
      if (this.#count.fields > mostFields) throw invalid(`The message has over ${mostFields} fields.`);
      const tag = reader.uint32();
      const read = fields[tag];
      if (read === undefined) {
        reader.skipType(tag & 7);
        continue;
      }
      if ((tag & 7) !== bytesType) {
        read(end);
        continue;
      }
      const valueEnd = reader.uint32() + reader.pos;
      if (valueEnd > end) throw new RangeError('A field is longer than its message.');
      read(valueEnd);
      if (reader.pos !== valueEnd) throw new RangeError('A field has another length than it says.');
    }
    if (reader.pos !== end) throw new RangeError('A field is longer than its message.');
  }

  bytes(end: number): Buffer {
    const value = this.#message.subarray(this.#reader.pos, end);
    this.#reader.pos = end;
    return value;
  }

  text(end: number): string {
    return this.bytes(end).toString();
  }

  bool(): boolean {
    return this.#reader.bool();
  }

  double(): number {
    return this.#reader.double();
  }

  /** A value of int64, which protobufjs gives as a Long. Beyond 2 ** 53 it is not exact, and no safe integer. */
  int64(): number {
    return Number(this.#reader.int64());
  }

  uint64(): number {
    return Number(this.#reader.uint64());
  }

  /** Calls `add` for each of a packed list's values. */
  packed(end: number, add: () => void): void {
    while (this.#reader.pos < end) add();
  }
}
