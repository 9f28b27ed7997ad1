import type { TensorData } from '../../open-inference/infer-request.ts';
import { invalid, mostEntries } from '../../open-inference/infer-request.ts';
import { type FieldReader, tagOf } from './read-fields.ts';

/** Numbers of the fields of InferTensorContents that are read, and the names of the others. */
const uintContents = 4;
const bytesContents = 8;
const otherContents: Readonly<Record<number, string>> = {
  1: 'bool_contents',
  2: 'int_contents',
  3: 'int64_contents',
  5: 'uint64_contents',
  6: 'fp32_contents',
  7: 'fp64_contents',
};

/** The main thread reads uint_contents, in some milliseconds for this many bytes. */
const mostUintBytes = 256 * 1024;

/** The elements in an InferTensorContents: files from bytes_contents, or pixels from uint_contents. */
export function contentsOf(reader: FieldReader): TensorData {
  const elements: Uint8Array[] = [];
  const found = new Set<number>();
  let numbers: Uint8Array = new Uint8Array(0);
  const other = (number: number) => (end: number) => {
    found.add(number);
    reader.bytes(end);
  };
  reader.read({
    [tagOf.bytes(bytesContents)]: (end) => {
      if (elements.length >= mostEntries) throw invalid(`bytes_contents has over ${mostEntries} elements.`);
      found.add(bytesContents);
      elements.push(reader.bytes(end));
    },
    [tagOf.bytes(uintContents)]: (end) => {
      if (found.has(uintContents))
        throw invalid('uint_contents comes in pieces; send it as one packed list.');
      found.add(uintContents);
      numbers = uint8Of(reader.bytes(end));
    },
    ...Object.fromEntries(
      Object.keys(otherContents).map((number) => [tagOf.bytes(Number(number)), other(Number(number))]),
    ),
  });
  if (found.size > 1)
    throw invalid('The contents of an input are in several fields; use the one for its datatype.');
  const [number] = found;
  if (number === undefined) return { kind: 'none' };
  if (number === bytesContents) return { kind: 'elements', elements };
  if (number === uintContents) return { kind: 'uint8', bytes: numbers };
  return { kind: 'other', what: otherContents[number]! };
}

/** The values of a packed list of uint32, which must be bytes: one above 127 takes two. */
function uint8Of(packed: Buffer): Uint8Array {
  if (packed.byteLength > mostUintBytes) {
    throw invalid(`uint_contents is over ${mostUintBytes} bytes; send the pixels in raw_input_contents.`);
  }
  const values = new Uint8Array(packed.byteLength);
  let count = 0;
  for (let at = 0; at < packed.byteLength; count++) {
    let value = packed[at++]!;
    if (value > 127) {
      const high = packed[at++] ?? 2;
      value += (high - 1) * 128;
      if (high > 1) throw invalid('uint_contents has a number that is not from 0 to 255.');
    }
    values[count] = value;
  }
  return values.subarray(0, count);
}
