import { ServiceError } from './errors.ts';
import { featureLayers } from './model/model.ts';
import type { EncodeOptions } from './request.ts';
import { tokenDtypes } from './tokens/tensor.ts';

/** One option of a request, as a caller writes it: what documentation and OpenAPI are made from. */
export interface RequestOption {
  /** Name on the wire: a query parameter, a form field, a JSON key. */
  readonly name: string;
  /** The values that are accepted; absent where any text of `pattern` is. */
  readonly values?: readonly string[];
  /** Source of a regular expression that the value must match whole; absent where `values` stands. */
  readonly pattern?: string;
  /** What absence means; absent where leaving the option out means that nothing is asked. */
  readonly default?: string;
  readonly description: string;
}

const exifModes = ['apply', 'ignore'] as const;
const patterns = { model: '.+', expect_digest: 'sha256:[0-9a-f]{64}' } as const;

/** Options of an Encode, in the order documentation lists them. */
export const encodeOptionTable = [
  {
    name: 'model',
    pattern: patterns.model,
    description: 'Name of the served model to use. The first served model when absent.',
  },
  {
    name: 'expect_digest',
    pattern: patterns.expect_digest,
    description: "Refuse with failed_precondition unless this is the model's digest.",
  },
  {
    name: 'expect_features',
    values: featureLayers,
    description: 'Refuse with failed_precondition unless the model gives this feature layer.',
  },
  {
    name: 'dtype',
    values: tokenDtypes,
    default: 'float16',
    description: 'Type of the tokens. The .npy format has no bfloat16.',
  },
  {
    name: 'exif',
    values: exifModes,
    default: 'apply',
    description: 'Whether the EXIF orientation turns the image before it is encoded.',
  },
] as const satisfies readonly RequestOption[];

type EncodeOptionName = (typeof encodeOptionTable)[number]['name'];

/** The wire names of Encode's options. */
export const encodeOptionNames: readonly EncodeOptionName[] = encodeOptionTable.map(({ name }) => name);

/**
 * Options of an Encode from their wire names and values, defaults filled in. An undefined value is an absent one.
 * Throws `invalid_argument` for a name or a value that is not known, and names those that are.
 */
export function parseEncodeOptions(record: Readonly<Record<string, string | undefined>>): EncodeOptions {
  refuseUnknownNames(record);
  const model = matching(record, 'model', 'a model name');
  const expectDigest = matching(record, 'expect_digest', '"sha256:" and 64 lower-case hexadecimal digits');
  const expectFeatures = choice(record, 'expect_features', featureLayers);
  return {
    ...(model === undefined ? {} : { model }),
    ...(expectDigest === undefined ? {} : { expectDigest }),
    ...(expectFeatures === undefined ? {} : { expectFeatures }),
    dtype: choice(record, 'dtype', tokenDtypes) ?? 'float16',
    exif: choice(record, 'exif', exifModes) ?? 'apply',
  };
}

function refuseUnknownNames(record: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(record)) {
    if (value === undefined || encodeOptionNames.some((known) => known === name)) continue;
    throw new ServiceError(
      'invalid_argument',
      `Unknown option ${quoted(name)}; the options are ${encodeOptionNames.join(', ')}.`,
    );
  }
}

function matching(
  record: Readonly<Record<string, string | undefined>>,
  name: keyof typeof patterns,
  wanted: string,
): string | undefined {
  const value = record[name];
  if (value === undefined || new RegExp(`^(?:${patterns[name]})$`).test(value)) return value;
  throw new ServiceError('invalid_argument', `Option ${name} is ${quoted(value)}; it must be ${wanted}.`);
}

function choice<Value extends string>(
  record: Readonly<Record<string, string | undefined>>,
  name: EncodeOptionName,
  values: readonly Value[],
): Value | undefined {
  const value = record[name];
  if (value === undefined) return undefined;
  const known = values.find((candidate) => candidate === value);
  if (known !== undefined) return known;
  throw new ServiceError(
    'invalid_argument',
    `Option ${name} is ${quoted(value)}; it must be one of ${values.join(', ')}.`,
  );
}

/** What a caller sent, safe and short enough to say back. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
