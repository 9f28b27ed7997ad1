import type { Machine } from './machine.ts';

/** The result of reading a setting's text. A problem completes a sentence that starts with the setting's name. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly string[] };

/** The reading of a text that no setting takes. */
export function wrong(problem: string): Reading<never> {
  return { ok: false, problems: [problem] };
}

/** A default that depends on the machine. */
export interface DerivedDefault {
  /** How it depends, for --help. */
  readonly text: string;
  /**
   * Only an `optional` setting's may be undefined: such a machine has no default. `earlier` are the values of the settings
   * before this one; one that is wrong is undefined.
   */
  of(machine: Machine, earlier: Readonly<Record<string, unknown>>): string | undefined;
}

interface SettingBase {
  readonly description: string;
  /** In the form a user would give it; it is read the same way. See {@link isRequired} for a setting without. */
  readonly default?: string | DerivedDefault;
  /** True for a setting that makes no sense as an environment variable. */
  readonly flagOnly?: true;
  /** True for a secret: other users of the machine can see a command line. */
  readonly variableOnly?: true;
  /**
   * Settings of which one must be given too, `out`, or have a value, `recipe teacher`: otherwise this one has no effect, and is
   * refused unless it has its default.
   */
  readonly needs?: readonly string[];
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

/** False by default; its flag then stands for true. With a default of its own the flag takes a value. */
interface BooleanSetting extends SettingBase {
  readonly type: 'boolean';
}

/**
 * An `optional` setting without a default may be undefined. A `repeated` setting is a flag that may be given several times, or a
 * variable with a comma-separated list; it is empty by default.
 */
interface TextSetting extends SettingBase {
  readonly type: 'text' | 'optional' | 'repeated';
  /** Stands for the value in --help. */
  readonly placeholder: string;
  /** Reads the value; absent for one that is the text itself, such as a path. */
  read?(text: string): Reading<unknown>;
}

export type Setting = NumberSetting | ChoiceSetting | BooleanSetting | TextSetting;

/** Settings by flag name, in documentation order. */
export type Settings = Readonly<Record<string, Setting>>;

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

type ReadValue<S> = S extends { read(text: string): Reading<infer T> } ? T : string;

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

/** The values of these settings: `http-port` becomes `httpPort`, the repeatable `model` becomes `models`. */
export type SettingValues<T extends Settings> = {
  readonly [Name in keyof T & string as T[Name] extends { type: 'repeated' }
    ? `${CamelCase<Name>}s`
    : CamelCase<Name>]: SettingValue<T[Name]>;
};

/** Settings that have no environment variables. */
export function flagsOnly<const T extends Settings>(settings: T): T {
  const entries = Object.entries(settings).map(([name, setting]) => [name, { ...setting, flagOnly: true }]);
  return Object.fromEntries(entries) as T;
}

/** Whether the user must give this setting. */
export function isRequired({ type, default: standard }: Setting): boolean {
  return standard === undefined && type !== 'boolean' && type !== 'repeated' && type !== 'optional';
}

/** Whether a setting's flag is followed by a value. */
export function takesValue({ type, default: standard }: Setting): boolean {
  return type !== 'boolean' || standard !== undefined;
}

/** The property that holds a setting's value. */
export function propertyName(name: string, setting: Setting): string {
  const camel = name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  return setting.type === 'repeated' ? `${camel}s` : camel;
}

/** The flag of a setting's property, or of a request's option of the same name. */
export function flagName(name: string): string {
  return `--${name.replaceAll(/_|(?=[A-Z])/g, '-').toLowerCase()}`;
}

/** The environment variable of a setting. */
export function variableName(name: string): string {
  return `${variablePrefix}${name.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * Prefix of every environment variable. SIGLIP_HD_ would clash: Kubernetes sets variables with that prefix in every
 * pod of a namespace that has a Service named siglip-hd.
 */
export const variablePrefix = 'SIGLIPHD_';
