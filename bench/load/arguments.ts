import { parseArgs } from 'node:util';
import type { Arrivals, Mix, Place } from './offer.ts';
import { type RowOptions, transports } from './rows/row.ts';

/** A service that runs already, and what it is asked for. */
export interface LoadTarget {
  readonly place: Place;
  readonly arrivals: Arrivals;
  readonly mix: Mix;
  readonly dtype: 'float16' | 'float32';
  readonly headers: Readonly<Record<string, string>>;
}

export interface LoadArguments extends Omit<RowOptions, 'image'> {
  /** Of the rows to run; all when there is none. */
  readonly names: readonly string[];
  readonly target?: LoadTarget | undefined;
  readonly image?: string | undefined;
  /** File that all results are written to. */
  readonly json?: string | undefined;
}

export type LoadReading =
  | { readonly kind: 'run'; readonly asked: LoadArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly problem: string };

export const usage = (names: readonly string[]): string => `Usage: siglip-hd bench load [OPTION]... [ROW]...
       siglip-hd bench load --target http://HOST:PORT|HOST:PORT [OPTION]...

Loads the service on a stub engine of known t(b), or, with --target, one that runs already, over HTTP or gRPC.
Rows, all when none is named: ${names.join(', ')}.

  --seconds N, --minutes N  length of a row's measurement; each has a usual one
  --transport http|grpc     one transport alone
  --image FILE              what is sent; rocket.jpg when absent
  --seed N                  of arrivals and mix; 1
  --json FILE               writes all results there
Stub:
  --batch-ms N --view-ms N  t(b) = batch-ms + view-ms * b; 100 and 0
  --batch N                 largest batch; 4
  --queued N                views admitted at one time; 64
  --channels N              of its tokens; 64
Target:
  --rate N | --clients N    open loop of N requests a second, by a Poisson process; or closed loop; 4 clients
  --mix ENDPOINT=SHARE,...  of encode, teacher, anyres; encode=1
  --dtype float16|float32   of the answers; float16
  --header NAME:VALUE       HTTP header or gRPC metadata; may be repeated
Exit status: 1 if a row fails or misses its bar; 2 for wrong usage.
`;

const texts = [
  'seconds',
  'minutes',
  'transport',
  'image',
  'seed',
  'json',
  'batch-ms',
  'view-ms',
  'batch',
  'queued',
  'channels',
  'target',
  'rate',
  'clients',
  'mix',
  'dtype',
] as const;
type Text = (typeof texts)[number];

/** What only a target is asked with, and what only a stub is made of. */
const ofTarget = ['rate', 'clients', 'mix', 'dtype', 'header'] as const;
const ofStub = ['transport', 'batch-ms', 'view-ms', 'batch', 'queued', 'channels'] as const;

class Refusal extends Error {}

/** Reads what follows `load`. */
export function readLoadArguments(args: readonly string[], known: readonly string[]): LoadReading {
  try {
    return read(args, known);
  } catch (error) {
    const isOurs =
      error instanceof Refusal || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
    if (isOurs !== true) throw error;
    return { kind: 'refused', problem: (error as Error).message };
  }
}

function read(args: readonly string[], known: readonly string[]): LoadReading {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...(Object.fromEntries(texts.map((name) => [name, { type: 'string' }])) as Record<
        Text,
        { type: 'string' }
      >),
      header: { type: 'string', multiple: true },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) return { kind: 'help' };
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Refusal(`"${unknown}" is not a row.`);
  const number = (name: Text, min: number, isWhole = false): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isFinite(value) && value >= min && (!isWhole || Number.isInteger(value))) return value;
    throw new Refusal(`--${name} ${text} is not a ${isWhole ? 'whole ' : ''}number of at least ${min}.`);
  };
  const minutes = number('minutes', 0.01);
  const only =
    values.transport === undefined ? undefined : oneOf(transports, values.transport, '--transport');
  const { target } = values;
  const idle = (target === undefined ? ofTarget : ofStub).find((name) => values[name] !== undefined);
  if (idle !== undefined) {
    throw new Refusal(`--${idle} says nothing ${target === undefined ? 'without' : 'with'} --target.`);
  }
  if (target !== undefined && positionals.length > 0) {
    throw new Refusal('--target takes no row: rows start a service of their own.');
  }
  return {
    kind: 'run',
    asked: {
      names: positionals,
      seconds: minutes === undefined ? number('seconds', 1) : minutes * 60,
      transports: only === undefined ? transports : [only],
      seed: number('seed', 0, true) ?? 1,
      image: values.image,
      json: values.json,
      stub: {
        batchMs: number('batch-ms', 0) ?? 100,
        viewMs: number('view-ms', 0) ?? 0,
        batch: number('batch', 1, true) ?? 4,
        queued: number('queued', 1, true) ?? 64,
        channels: number('channels', 1, true) ?? 64,
      },
      target: target === undefined ? undefined : { place: readPlace(target), ...readAsked() },
    },
  };

  function readAsked(): Omit<LoadTarget, 'place'> {
    const perSecond = number('rate', 0.01);
    const arrivals: Arrivals =
      perSecond === undefined
        ? { kind: 'closed', clients: number('clients', 1, true) ?? 4 }
        : { kind: 'poisson', perSecond };
    return {
      arrivals,
      mix: readMix(values.mix ?? 'encode=1'),
      dtype: oneOf(['float16', 'float32'] as const, values.dtype ?? 'float16', '--dtype'),
      headers: Object.fromEntries((values.header ?? []).map(readHeader)),
    };
  }
}

function readPlace(text: string): Place {
  if (text.startsWith('http://')) return { transport: 'http', url: text };
  if (/^(\[[^\]]+\]|[^:/]+):\d+$/.test(text)) return { transport: 'grpc', address: text };
  throw new Refusal(`--target ${text} is neither http://HOST:PORT nor HOST:PORT.`);
}

function readMix(text: string): Mix {
  const shares = text.split(',').map((part) => {
    const [name = '', share = '1'] = part.split('=');
    return [oneOf(['encode', 'teacher', 'anyres'] as const, name, '--mix'), Number(share)] as const;
  });
  const isMix = shares.every(([, share]) => share >= 0) && shares.some(([, share]) => share > 0);
  if (!isMix) throw new Refusal(`--mix ${text} needs shares of 0 or more, and one above 0.`);
  return Object.fromEntries(shares);
}

function readHeader(text: string): [string, string] {
  const colon = text.indexOf(':');
  if (colon < 1) throw new Refusal(`--header ${text} is not NAME:VALUE.`);
  return [text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim()];
}

function oneOf<Value extends string>(values: readonly Value[], text: string, what: string): Value {
  const found = values.find((value) => value === text);
  if (found === undefined) throw new Refusal(`${what} ${text} is not one of ${values.join(', ')}.`);
  return found;
}
