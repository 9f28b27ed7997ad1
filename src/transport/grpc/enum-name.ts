/** What encoder.proto calls a value of an enum: DTYPE_FLOAT16 for float16. */
export function enumName<Prefix extends string, Value extends string>(
  prefix: Prefix,
  value: Value,
): `${Prefix}_${Uppercase<Value>}` {
  return `${prefix}_${value.toUpperCase()}` as `${Prefix}_${Uppercase<Value>}`;
}

/**
 * The value that a name stands for; undefined where none is set. A number is one that encoder.proto does not name: it
 * stays as it is, for the options' parser to refuse.
 */
export function enumValue(prefix: string, name: string | number): string | undefined {
  if (typeof name === 'number') return String(name);
  const value = name.slice(prefix.length + 1).toLowerCase();
  return value === 'unspecified' ? undefined : value;
}
