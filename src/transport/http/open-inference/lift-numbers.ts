import { randomUUID } from 'node:crypto';

/** The name of the field that stands for a list of numbers in the JSON that is left. No client can guess it. */
export const liftedField = `lifted numbers ${randomUUID()}`;

/** A list of numbers: whole ones from 0 to 255, or undefined for others. */
export type LiftedNumbers = Uint8Array<ArrayBuffer> | undefined;

export interface LiftedJson {
  /** The JSON with `{[liftedField]: index}` in place of each list. */
  readonly json: Buffer;
  readonly lists: readonly LiftedNumbers[];
}

const key = Buffer.from('"data"');
const [comma, open, close, colon] = Buffer.from(',[]:');
/** Room for the first numbers of a list. It is doubled as needed. */
const firstCount = 256;
/** Shorter lists stay where they are: JSON.parse is quick with them. */
const shortBytes = 16;

/**
 * Takes the lists of numbers, nested or not, that are called "data" out of JSON. JSON.parse would need up to ten times
 * their length in memory. A list that holds anything but numbers stays where it is.
 *
 * Inside a string every quote has a backslash before it, so `"data"` is only found where a string ends. If that string
 * is longer (`"more\"data"`), the field has another name and the request is refused for it.
 */
export function liftNumbers(bytes: Buffer): LiftedJson {
  const lists: LiftedNumbers[] = [];
  const pieces: Buffer[] = [];
  let kept = 0;
  for (let at = bytes.indexOf(key); at !== -1; at = bytes.indexOf(key, at + key.byteLength)) {
    let start = skipSpace(bytes, at + key.byteLength);
    if (bytes[start] !== colon) continue;
    start = skipSpace(bytes, start + 1);
    if (bytes[start] !== open) continue;
    const list = readList(bytes, start);
    if (list === undefined || list.end - start < shortBytes) continue;
    pieces.push(bytes.subarray(kept, start), Buffer.from(`{"${liftedField}":${lists.length}}`));
    lists.push(list.numbers);
    kept = list.end;
    at = list.end - key.byteLength;
  }
  return { json: kept === 0 ? bytes : Buffer.concat([...pieces, bytes.subarray(kept)]), lists };
}

/** The list that begins at `start`, if it is one of numbers. */
function readList(
  bytes: Buffer,
  start: number,
): { readonly numbers: LiftedNumbers; readonly end: number } | undefined {
  let numbers = new Uint8Array(firstCount);
  let [count, depth, at] = [0, 0, start];
  let isUint8 = true;
  // Whether a value may come, or what follows a value.
  let isDue = true;
  do {
    const code = bytes[at];
    if (code === open && isDue) depth++;
    else if (code === close && (!isDue || bytes[lastOf(bytes, at)] === open)) {
      depth--;
      isDue = false;
    } else if (code === comma && !isDue) isDue = true;
    else if (isDue && isNumberStart(code)) {
      const end = numberEnd(bytes, at);
      const value = end - at <= 3 ? smallNumber(bytes, at, end) : undefined;
      if (value === undefined && !isNumber(bytes.toString('latin1', at, end))) return undefined;
      if (value === undefined || value > 255) isUint8 = false;
      else {
        if (count === numbers.length) numbers = grown(numbers);
        numbers[count++] = value;
      }
      isDue = false;
      at = end - 1;
    } else return undefined;
    at = skipSpace(bytes, at + 1);
  } while (depth > 0 && at < bytes.byteLength);
  if (depth > 0) return undefined;
  return { numbers: isUint8 ? numbers.slice(0, count) : undefined, end: at };
}

function grown(numbers: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(2 * numbers.length);
  larger.set(numbers);
  return larger;
}

/** The position of the last character before `at` that is no space. */
function lastOf(bytes: Buffer, at: number): number {
  let before = at - 1;
  while (isSpace(bytes[before])) before--;
  return before;
}

/** The value of one to three digits; undefined for anything else. */
function smallNumber(bytes: Buffer, start: number, end: number): number | undefined {
  if (bytes[start] === zero && end - start > 1) return undefined;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - zero;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

const zero = 48;

function isNumberStart(code: number | undefined): boolean {
  return code !== undefined && ((code >= zero && code <= 57) || code === 45);
}

function numberEnd(bytes: Buffer, start: number): number {
  let end = start;
  while (isNumberPart(bytes[end])) end++;
  return end;
}

/** Digits, signs, the point, and the letter of an exponent. */
function isNumberPart(code: number | undefined): boolean {
  return isNumberStart(code) || code === 43 || code === 46 || code === 69 || code === 101;
}

function isNumber(text: string): boolean {
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text);
}

function skipSpace(bytes: Buffer, start: number): number {
  let at = start;
  while (isSpace(bytes[at])) at++;
  return at;
}

function isSpace(code: number | undefined): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9;
}
