import type { Machine } from './machine.ts';

/** What reading a setting's text gives. A problem is the rest of a sentence that starts with the setting's name. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

/** A default that depends on the machine; `text` says how. */
export interface DerivedDefault {
  readonly text: string;
  of(machine: Machine): string;
}

interface SettingBase {
  readonly description: string;
  /** Written as a user would write it, and read as such. See {@link isRequired} for one without. */
  readonly default?: string | DerivedDefault;
  /** True for what makes no sense as an environment variable. */
  readonly flagOnly?: true;
  /** True for a secret: others may see a command line. */
  readonly variableOnly?: true;
}

/** A whole number; `bytes` may be written with KiB, MiB or GiB. */
interface NumberSetting extends SettingBase {
  readonly type: 'integer' | 'milliseconds' | 'bytes';
  readonly min: number;
  readonly max: number;
}

interface ChoiceSetting extends SettingBase {
  readonly type: 'choice';
  readonly choices: readonly string[];
}

/** False unless given. */
interface BooleanSetting extends SettingBase {
  readonly type: 'boolean';
}

interface TextSetting extends SettingBase {
  readonly type: 'text';
  /** What stands for the value in --help. */
  readonly placeholder: string;
  read(text: string): Reading<unknown>;
}

/** Undefined unless given. */
interface OptionalTextSetting extends SettingBase {
  readonly type: 'optional';
  readonly placeholder: string;
  read(text: string): Reading<unknown>;
}

/** A flag that may be given several times; its variable takes a list with commas. Empty unless given. */
interface RepeatedSetting extends SettingBase {
  readonly type: 'repeated';
  readonly placeholder: string;
  read(text: string): Reading<unknown>;
}

export type Setting =
  | NumberSetting
  | ChoiceSetting
  | BooleanSetting
  | TextSetting
  | OptionalTextSetting
  | RepeatedSetting;

/** Settings by the name of their flag, in the order they are documented. */
export type Settings = Readonly<Record<string, Setting>>;

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

type ReadValue<S> = S extends { read(text: string): Reading<infer T> } ? T : never;

type SettingValue<S extends Setting> = S extends { type: 'repeated' }
  ? readonly ReadValue<S>[]
  : S extends { type: 'optional' }
    ? ReadValue<S> | undefined
    : S extends { type: 'text' }
      ? ReadValue<S>
      : S extends { type: 'choice' }
        ? S['choices'][number]
        : S extends { type: 'boolean' }
          ? boolean
          : number;

/** The values of a table: `http-port` becomes `httpPort`, the repeatable `model` becomes `models`. */
export type SettingValues<T extends Settings> = {
  readonly [Name in keyof T & string as T[Name] extends { type: 'repeated' }
    ? `${CamelCase<Name>}s`
    : CamelCase<Name>]: SettingValue<T[Name]>;
};

/** Whether a setting without a default must be given. */
export function isRequired({ type, default: standard }: Setting): boolean {
  return standard === undefined && type !== 'boolean' && type !== 'repeated' && type !== 'optional';
}

/** The property under which a setting's value is found. */
export function propertyName(name: string, setting: Setting): string {
  const camel = name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  return setting.type === 'repeated' ? `${camel}s` : camel;
}

/** The environment variable of a setting. */
export function variableName(name: string): string {
  return `${variablePrefix}${name.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * Starts every environment variable. Not SIGLIP_HD_: Kubernetes sets variables of that prefix in every pod beside
 * a Service named siglip-hd.
 */
export const variablePrefix = 'SIGLIPHD_';
