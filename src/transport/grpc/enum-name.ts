/** The name in encoder.proto of an enum's value: DTYPE_FLOAT16 for float16. */
export function enumName<Prefix extends string, Value extends string>(
  prefix: Prefix,
  value: Value,
): `${Prefix}_${Uppercase<Value>}` {
  return `${prefix}_${value.toUpperCase()}` as `${Prefix}_${Uppercase<Value>}`;
}

/**
 * The value of a name in encoder.proto; undefined if the field is not set. A number has no name there, and is left for the
 * options' parser to refuse.
 */
export function enumValue(prefix: string, name: string | number): string | undefined {
  if (typeof name === 'number') return String(name);
  const value = name.slice(prefix.length + 1).toLowerCase();
  return value === 'unspecified' ? undefined : value;
}
