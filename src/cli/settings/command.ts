import type { Machine } from './machine.ts';
import type { Settings, SettingValues } from './setting.ts';

/** What a command takes. Its --help and its part of docs/configuration.md are generated from this. */
export interface CommandOutline {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  /** Arguments that are not flags. */
  readonly operands: { readonly placeholder: string; readonly min: number; readonly max: number };
  readonly settings: Settings;
  /** Sentences on flags that the command lacks and users may expect, by name without dashes. */
  readonly hints?: Readonly<Record<string, string>>;
}

/** A condition on several values that are each valid alone. */
export interface Rule<V> {
  /** The values it reads. It is skipped if one of them is absent or invalid in itself. */
  readonly of: readonly (keyof V)[];
  /** A sentence for each violation. */
  problems(values: V, machine: Machine): readonly string[];
}

/** An outline that keeps the types of its settings. */
export interface CommandSchema<T extends Settings> extends CommandOutline {
  readonly settings: T;
  readonly rules: readonly Rule<SettingValues<T>>[];
}

/** The schema itself, with its settings' types inferred. */
export function command<const T extends Settings>(schema: CommandSchema<T>): CommandSchema<T> {
  return schema;
}
