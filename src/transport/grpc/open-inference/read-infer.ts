import {
  type InferInput,
  type InferRequest,
  invalid,
  mostEntries,
  type ParameterValue,
  quotedName,
  type RequestedOutput,
  type TensorData,
} from '../../open-inference/infer-request.ts';
import { readMessage } from '../read-message.ts';
import { contentsOf } from './read-contents.ts';
import { FieldReader, tagOf } from './read-fields.ts';

/**
 * Reads a ModelInferRequest. Tensors stay in the message's buffer: protobufjs's own reader would turn `contents` into
 * arrays of numbers, many times as large. Throws `invalid_argument` if the bytes are no such message, or if its raw
 * contents do not match its inputs.
 */
export function readInferRequest(bytes: Buffer): InferRequest {
  return readMessage('an inference.ModelInferRequest', requestIn, bytes);
}

function requestIn(bytes: Buffer): InferRequest {
  const reader = new FieldReader(bytes);
  return withData(new InferReader(reader).request(), reader);
}

/** An input whose data may be among the raw contents. */
type ReadInput = Omit<InferInput, 'data'> & { readonly contents: Buffer | undefined };

interface ReadRequest extends Omit<InferRequest, 'inputs'> {
  readonly inputs: readonly ReadInput[];
  readonly raw: readonly Uint8Array[];
}

/** Reads the messages of one request. Field numbers are those of open_inference.proto. */
class InferReader {
  readonly #reader: FieldReader;

  constructor(reader: FieldReader) {
    this.#reader = reader;
  }

  request(): ReadRequest {
    const reader = this.#reader;
    const names = { modelName: '', modelVersion: '', id: '' };
    const parameters = new Map<string, ParameterValue>();
    const inputs: ReadInput[] = [];
    const outputs: RequestedOutput[] = [];
    const raw: Uint8Array[] = [];
    reader.read({
      [tagOf.bytes(1)]: (end) => (names.modelName = reader.text(end)),
      [tagOf.bytes(2)]: (end) => (names.modelVersion = reader.text(end)),
      [tagOf.bytes(3)]: (end) => (names.id = reader.text(end)),
      [tagOf.bytes(4)]: (end) => this.#parameter(end, parameters),
      [tagOf.bytes(5)]: (end) => add(inputs, this.#input(end)),
      [tagOf.bytes(6)]: (end) => add(outputs, this.#output(end)),
      [tagOf.bytes(7)]: (end) => add(raw, reader.bytes(end)),
    });
    return { ...names, parameters, inputs, outputs, raw };
  }

  #input(inputEnd: number): ReadInput {
    const reader = this.#reader;
    const names = { name: '', datatype: '' };
    const shape: number[] = [];
    const parameters = new Map<string, ParameterValue>();
    let contents: Buffer | undefined;
    const addSide = () => add(shape, reader.int64());
    const fields = {
      [tagOf.bytes(1)]: (end: number) => (names.name = reader.text(end)),
      [tagOf.bytes(2)]: (end: number) => (names.datatype = reader.text(end)),
      [tagOf.integer(3)]: addSide,
      [tagOf.bytes(3)]: (end: number) => reader.packed(end, addSide),
      [tagOf.bytes(4)]: (end: number) => this.#parameter(end, parameters),
      [tagOf.bytes(5)]: (end: number) => (contents = reader.bytes(end)),
    };
    reader.read(fields, inputEnd);
    return { ...names, shape, parameters, contents };
  }

  #output(outputEnd: number): RequestedOutput {
    const reader = this.#reader;
    let name = '';
    const parameters = new Map<string, ParameterValue>();
    const fields = {
      [tagOf.bytes(1)]: (end: number) => (name = reader.text(end)),
      [tagOf.bytes(2)]: (end: number) => this.#parameter(end, parameters),
    };
    reader.read(fields, outputEnd);
    return { name, parameters };
  }

  /** An entry of map<string, InferParameter>. One without a value says nothing. */
  #parameter(entryEnd: number, into: Map<string, ParameterValue>): void {
    const reader = this.#reader;
    let key = '';
    let value: ParameterValue | undefined;
    const values = {
      [tagOf.integer(1)]: () => (value = reader.bool()),
      [tagOf.integer(2)]: () => (value = reader.int64()),
      [tagOf.bytes(3)]: (end: number) => (value = reader.text(end)),
      [tagOf.double(4)]: () => (value = reader.double()),
      [tagOf.integer(5)]: () => (value = reader.uint64()),
    };
    const fields = {
      [tagOf.bytes(1)]: (end: number) => (key = reader.text(end)),
      [tagOf.bytes(2)]: (end: number) => reader.read(values, end),
    };
    reader.read(fields, entryEnd);
    if (value !== undefined) into.set(key, value);
  }
}

/**
 * Gives each input its data: its own contents, or the raw contents in its place. A request of several inputs is refused
 * later, so their contents are not read.
 */
function withData({ raw, inputs, ...request }: ReadRequest, reader: FieldReader): InferRequest {
  const filled = inputs.find(({ contents }) => contents !== undefined);
  if (raw.length > 0 && filled !== undefined) {
    throw invalid(
      `The input ${quotedName(filled.name)} has contents, and the request has raw_input_contents; use one of them.`,
    );
  }
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw invalid(
      `The request has ${inputs.length} inputs and ${raw.length} raw_input_contents; there must be one for each input.`,
    );
  }
  const dataOf = (contents: Buffer | undefined, bytes: Uint8Array | undefined): TensorData => {
    if (bytes !== undefined) return { kind: 'raw', bytes };
    if (contents === undefined || inputs.length > 1) return { kind: 'none' };
    return contentsOf(reader.within(contents));
  };
  return {
    ...request,
    inputs: inputs.map(({ contents, ...input }, index) => ({ ...input, data: dataOf(contents, raw[index]) })),
  };
}

function add<Entry>(entries: Entry[], entry: Entry): void {
  if (entries.length >= mostEntries) throw invalid(`The request has a list of over ${mostEntries} entries.`);
  entries.push(entry);
}
