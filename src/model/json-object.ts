import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { quoted, withoutControls } from '../errors/quoted.ts';
import { invalidArgument } from '../errors/invalid-argument.ts';
import { ServiceError } from '../errors/service-error.ts';
import { systemReason } from '../errors/system-reason.ts';

/** Far above any real file: a larger one is a mistake or an attack. */
const maxJsonBytes = 16 * 1024 * 1024;

/** A JSON object read field by field. A field that does not fit throws `invalid_argument` with its name. */
export class JsonObject {
  readonly #fields: ReadonlyMap<string, unknown>;
  /** The object's name in messages: `config.json` or `config.json: vision_config`. */
  readonly where: string;

  private constructor(fields: object, where: string) {
    this.#fields = new Map(Object.entries(fields));
    this.where = where;
  }

  /** `value` as an object; messages call it `where`. */
  static from(value: unknown, where: string): JsonObject {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw invalidArgument(`${where} is not a JSON object.`);
    }
    return new JsonObject(value, where);
  }

  /** Reads a file of at most 16 MiB; messages call it `where`. `missing` is the message when there is no such file. */
  static async read(path: string, missing: string, where = basename(path)): Promise<JsonObject> {
    const found = await JsonObject.find(path, where);
    if (found === undefined) throw invalidArgument(missing);
    return found;
  }

  /** As {@link read}; undefined when there is no such file. */
  static async find(path: string, where = basename(path)): Promise<JsonObject | undefined> {
    const text = await readText(path, where);
    if (text === undefined) return undefined;
    try {
      return JsonObject.from(JSON.parse(text), where);
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      throw invalidArgument(`${where} is not valid JSON.`, error);
    }
  }

  keys(): string[] {
    return [...this.#fields.keys()];
  }

  /** Whether the field is there and not null: Hugging Face writes null for most defaults. */
  has(key: string): boolean {
    return (this.#fields.get(key) ?? null) !== null;
  }

  isNull(key: string): boolean {
    return this.#fields.get(key) === null;
  }

  /** Undefined for null as well. */
  get(key: string): unknown {
    return this.#fields.get(key) ?? undefined;
  }

  object(key: string): JsonObject {
    return JsonObject.from(this.get(key), `${this.where}: ${key}`);
  }

  string(key: string): string {
    const value = this.get(key);
    if (typeof value !== 'string') throw this.fault(key, 'a string');
    return value;
  }

  boolean(key: string, fallback?: boolean): boolean {
    const value = this.get(key) ?? fallback;
    if (typeof value !== 'boolean') throw this.fault(key, 'true or false');
    return value;
  }

  /** A whole number from `min` to `max`. */
  integer(
    key: string,
    range: { readonly min: number; readonly max: number; readonly fallback?: number },
  ): number {
    const value = this.get(key) ?? range.fallback;
    if (!Number.isSafeInteger(value) || (value as number) < range.min || (value as number) > range.max) {
      throw this.fault(key, `a whole number from ${range.min} to ${range.max}`);
    }
    return value as number;
  }

  /** A finite number above zero. */
  positive(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      throw this.fault(key, 'a number above 0');
    }
    return value;
  }

  /** Three finite numbers, for red, green and blue. */
  triple(key: string, fallback?: readonly number[]): readonly [number, number, number] {
    const value = this.get(key) ?? fallback;
    const [red, green, blue, ...more]: readonly unknown[] = Array.isArray(value) ? value : [];
    if (!isNumber(red) || !isNumber(green) || !isNumber(blue) || more.length > 0) {
      throw this.fault(key, 'a list of three numbers');
    }
    return [red, green, blue];
  }

  strings(key: string): readonly string[] {
    const value: unknown = this.get(key);
    if (!Array.isArray(value) || !value.every((one) => typeof one === 'string')) {
      throw this.fault(key, 'a list of strings');
    }
    return value;
  }

  /** One of `allowed`. */
  oneOf<const Allowed extends string>(key: string, allowed: readonly Allowed[]): Allowed {
    const value = allowed.find((one) => one === this.get(key));
    if (value === undefined) throw this.fault(key, allowed.join(' or '));
    return value;
  }

  fault(key: string, expected: string): ServiceError {
    return invalidArgument(`${this.where}: ${key} must be ${expected}, not ${shortJson(this.get(key))}.`);
  }
}

/** A value for a message: its JSON, cut to 60 characters. */
export function shortJson(value: unknown): string {
  const text = withoutControls(JSON.stringify(outline(value, 2)) ?? 'missing');
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** A name from a file for a message: on one line, cut to 100 characters. */
export function shortName(name: string): string {
  const text = quoted(name.length > 100 ? `${name.slice(0, 97)}...` : name);
  return text.slice(1, -1);
}

/** The beginning of a value: a file may nest deeper, and hold more, than JSON.stringify can take. */
function outline(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.slice(0, 60);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    return depth === 0 ? ['...'] : value.slice(0, 8).map((each) => outline(each, depth - 1));
  }
  if (depth === 0) return '...';
  const fields = Object.entries(value).slice(0, 8);
  return Object.fromEntries(fields.map(([key, each]) => [key.slice(0, 60), outline(each, depth - 1)]));
}

async function readText(path: string, where: string): Promise<string | undefined> {
  try {
    const file = await open(path);
    try {
      const found = await file.stat();
      // A device reports no size and may never end.
      if (!found.isFile()) throw invalidArgument(`${where} is not a file.`);
      if (found.size > maxJsonBytes) {
        throw invalidArgument(`${where} has ${found.size} bytes; at most ${maxJsonBytes} are read.`);
      }
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const message = `${where} cannot be read: ${systemReason(error)}.`;
    throw invalidArgument(message, error);
  }
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}
