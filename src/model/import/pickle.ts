import { invalidArgument } from '../../errors/invalid-argument.ts';
import type { ServiceError } from '../../errors/service-error.ts';
import { shortName } from '../json-object.ts';

/** What calling a name of the pickle's gives. */
export type PickleCall = (args: readonly PickleValue[]) => PickleValue;

/** What a pickle's values may be: a list or tuple is an array, and a dictionary a map. `globals` and `load` may give any object. */
export type PickleValue = null | boolean | number | string | PickleCall | object;

export interface PickleOptions {
  /** The file's name in messages. */
  readonly label: string;
  /** Every name that the pickle may refer to, as `module.name`. */
  readonly globals: ReadonlyMap<string, PickleValue>;
  /** What a persistent id stands for. */
  readonly load: (id: PickleValue) => PickleValue;
}

/** A checkpoint of 900 tensors takes 35,000. */
const maxSteps = 1_000_000;
const maxNameBytes = 256;

/** Opcodes that make or find objects, for messages. */
const executing: ReadonlyMap<number, string> = new Map([
  [0x69, 'INST'],
  [0x6f, 'OBJ'],
  [0x81, 'NEWOBJ'],
  [0x82, 'EXT1'],
  [0x83, 'EXT2'],
  [0x84, 'EXT4'],
  [0x92, 'NEWOBJ_EX'],
  [0x93, 'STACK_GLOBAL'],
]);

/**
 * Reads a pickle of plain values, of the opcodes that torch.save writes. Nothing is executed: a name that `globals`
 * does not have, and any other opcode, throw `invalid_argument`. Time and memory are bounded by the steps taken.
 */
export function readPickle(bytes: Uint8Array<ArrayBuffer>, options: PickleOptions): PickleValue {
  return new PickleReader(bytes, options).read();
}

class PickleReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #options: PickleOptions;
  readonly #memo = new Map<number, PickleValue>();
  readonly #marks: PickleValue[][] = [];
  #stack: PickleValue[] = [];
  #at = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>, options: PickleOptions) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#options = options;
  }

  read(): PickleValue {
    for (let step = 0; step < maxSteps; step += 1) {
      const opcode = this.#byte();
      if (opcode === 0x2e /* STOP */) return this.#pop();
      if (!this.#literal(opcode) && !this.#container(opcode) && !this.#reference(opcode)) {
        const name = executing.get(opcode) ?? `0x${opcode.toString(16)}`;
        throw this.#fault(`has the pickle opcode ${name}, which plain tensors do not need; it is not run`);
      }
    }
    throw this.#fault(`has a pickle of more than ${maxSteps} steps`);
  }

  #literal(opcode: number): boolean {
    switch (opcode) {
      case 0x80: // PROTO
        return this.#requireProtocol(this.#byte());
      case 0x4e: // NONE
        return this.#push(null);
      case 0x88: // NEWTRUE
        return this.#push(true);
      case 0x89: // NEWFALSE
        return this.#push(false);
      case 0x4a: // BININT
        return this.#push(this.#view.getInt32(this.#skip(4), true));
      case 0x4b: // BININT1
        return this.#push(this.#byte());
      case 0x4d: // BININT2
        return this.#push(this.#view.getUint16(this.#skip(2), true));
      case 0x8a: // LONG1
        return this.#push(this.#long(this.#byte()));
      case 0x47: // BINFLOAT
        return this.#push(this.#view.getFloat64(this.#skip(8)));
      case 0x55: // SHORT_BINSTRING
        return this.#push(this.#text(this.#byte()));
      case 0x58: // BINUNICODE
        return this.#push(this.#text(this.#length()));
      default:
        return false;
    }
  }

  #container(opcode: number): boolean {
    switch (opcode) {
      case 0x28: // MARK
        this.#marks.push(this.#stack);
        this.#stack = [];
        return true;
      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
        return this.#push([]);
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#push(this.#popMany(opcode - 0x84));
      case 0x74: // TUPLE
        return this.#push(this.#popToMark());
      case 0x61: // APPEND
        return this.#append(this.#popMany(1));
      case 0x65: // APPENDS
        return this.#append(this.#popToMark());
      case 0x7d: // EMPTY_DICT
        return this.#push(new Map());
      case 0x73: // SETITEM
        return this.#set(this.#popMany(2));
      case 0x75: // SETITEMS
        return this.#set(this.#popToMark());
      default:
        return false;
    }
  }

  #reference(opcode: number): boolean {
    switch (opcode) {
      case 0x71: // BINPUT
        return this.#remember(this.#byte());
      case 0x72: // LONG_BINPUT
        return this.#remember(this.#length());
      case 0x68: // BINGET
        return this.#recall(this.#byte());
      case 0x6a: // LONG_BINGET
        return this.#recall(this.#length());
      case 0x63: // GLOBAL
        return this.#push(this.#global());
      case 0x51: // BINPERSID
        return this.#push(this.#options.load(this.#pop()));
      case 0x52: // REDUCE
        return this.#push(this.#call());
      case 0x62: // BUILD
        return this.#build();
      default:
        return false;
    }
  }

  #requireProtocol(protocol: number): boolean {
    if (protocol === 2) return true;
    throw this.#fault(`has a pickle of protocol ${protocol}; save it with torch.save's own, which is 2`);
  }

  #global(): PickleValue {
    const name = `${this.#line()}.${this.#line()}`;
    const found = this.#options.globals.get(name);
    if (found === undefined) {
      throw this.#fault(
        `refers to ${shortName(name)}, which plain tensors do not need; it is not run. Save the model's state_dict() alone`,
      );
    }
    return found;
  }

  #call(): PickleValue {
    const [callee, args] = this.#popMany(2);
    if (typeof callee !== 'function' || !Array.isArray(args)) throw this.#damaged();
    return (callee as PickleCall)(args as PickleValue[]);
  }

  /** A dictionary's state, such as a state_dict's versions, says nothing about its tensors. */
  #build(): boolean {
    this.#pop();
    if (this.#stack.at(-1) instanceof Map) return true;
    throw this.#fault('sets the state of an object, which plain tensors do not need');
  }

  #append(values: readonly PickleValue[]): boolean {
    const list = this.#stack.at(-1);
    if (!Array.isArray(list)) throw this.#damaged();
    for (const value of values) list.push(value);
    return true;
  }

  #set(pairs: readonly PickleValue[]): boolean {
    const map = this.#stack.at(-1);
    if (!(map instanceof Map) || pairs.length % 2 !== 0) throw this.#damaged();
    for (let i = 0; i < pairs.length; i += 2) map.set(pairs[i], pairs[i + 1]);
    return true;
  }

  #remember(index: number): boolean {
    const value = this.#stack.at(-1);
    if (value === undefined) throw this.#damaged();
    this.#memo.set(index, value);
    return true;
  }

  #recall(index: number): boolean {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#damaged();
    return this.#push(value);
  }

  #push(value: PickleValue): boolean {
    this.#stack.push(value);
    return true;
  }

  #pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined) throw this.#damaged();
    return value;
  }

  #popMany(count: number): PickleValue[] {
    if (this.#stack.length < count) throw this.#damaged();
    return this.#stack.splice(-count);
  }

  #popToMark(): PickleValue[] {
    const values = this.#stack;
    const outer = this.#marks.pop();
    if (outer === undefined) throw this.#damaged();
    this.#stack = outer;
    return values;
  }

  #long(size: number): number {
    if (size > 8) throw this.#fault(`has a whole number of ${size} bytes`);
    const start = this.#skip(size);
    let value = 0n;
    for (let i = size - 1; i >= 0; i -= 1) value = (value << 8n) | BigInt(this.#bytes[start + i]!);
    return Number(BigInt.asIntN(size * 8, value));
  }

  #text(size: number): string {
    const start = this.#skip(size);
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, size).toString('utf8');
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end === -1 || end - this.#at > maxNameBytes) throw this.#damaged();
    const text = this.#text(end - this.#at);
    this.#skip(1);
    return text;
  }

  #length(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  #byte(): number {
    return this.#bytes[this.#skip(1)]!;
  }

  /** Skips `size` bytes and returns where they start. */
  #skip(size: number): number {
    const start = this.#at;
    if (size > this.#bytes.byteLength - start) throw this.#damaged();
    this.#at = start + size;
    return start;
  }

  #damaged(): ServiceError {
    return this.#fault(`is damaged: its pickle is not valid at byte ${this.#at}`);
  }

  #fault(sentence: string): ServiceError {
    return invalidArgument(`${this.#options.label} ${sentence}.`);
  }
}
