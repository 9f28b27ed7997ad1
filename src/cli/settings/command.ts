import type { Rule } from './contradictions.ts';
import type { Settings, SettingValues } from './setting.ts';

/** What a command is given. --help and docs/configuration.md are made from it. */
export interface CommandOutline {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  /** Arguments that are not flags. */
  readonly operands: { readonly placeholder: string; readonly min: number; readonly max: number };
  readonly settings: Settings;
}

/** The same with the types of its settings. */
export interface CommandSchema<T extends Settings> extends CommandOutline {
  readonly settings: T;
  /** What its values must hold together. */
  readonly rules: readonly Rule<SettingValues<T>>[];
}

/** A schema, with the types of its settings kept. */
export function command<const T extends Settings>(schema: CommandSchema<T>): CommandSchema<T> {
  return schema;
}
