import { isDeepStrictEqual, parseArgs } from 'node:util';
import { didYouMean } from '../../errors/did-you-mean.ts';
import type { CommandOutline, CommandSchema } from './command.ts';
import { compareCommand } from './compare.ts';
import { encodeCommand } from './encode.ts';
import { exportTritonCommand } from './export-triton.ts';
import { importCommand } from './import.ts';
import type { Machine } from './machine.ts';
import { readSetting } from './read-setting.ts';
import { serveCommand } from './serve.ts';
import {
  isRequired,
  propertyName,
  type Setting,
  type Settings,
  type SettingValues,
  takesValue,
  variableName,
  variablePrefix,
} from './setting.ts';

/** Every command that has settings. */
export const commands: readonly CommandOutline[] = [
  serveCommand,
  importCommand,
  encodeCommand,
  compareCommand,
  exportTritonCommand,
];

export interface CommandInput {
  /** The arguments after the name of the program or the command. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly machine: Machine;
}

export type ParsedCommand<T extends Settings> =
  | { readonly kind: 'run'; readonly settings: SettingValues<T>; readonly operands: readonly string[] }
  | { readonly kind: 'help' }
  /** Every problem, a sentence each. */
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/**
 * Reads a command's settings: from flags, else from the environment, else from the defaults. Every value is valid. Reads nothing
 * but `input`.
 */
export function parseCommand<T extends Settings>(
  schema: CommandSchema<T>,
  input: CommandInput,
): ParsedCommand<T> {
  const { flags, operands, help, problems: flagProblems } = readFlags(schema, input.args);
  if (help) return { kind: 'help' };
  const problems = [...flagProblems, ...unknownVariables(input.env)];
  const values: Record<string, unknown> = {};
  const changed = new Set<string>();
  for (const [name, setting] of Object.entries<Setting>(schema.settings)) {
    const standard = standardOf(name, setting, input.machine, values);
    const { value, wrong } = readGiven(
      setting,
      findGiven(name, setting, flags.get(name), input.env) ?? standard,
    );
    problems.push(...wrong);
    const isStandard = wrong.length === 0 && isDeepStrictEqual(value, readGiven(setting, standard).value);
    if (!isStandard) changed.add(name);
    values[propertyName(name, setting)] = value;
  }
  problems.push(...unmetNeeds(schema.settings, values, changed));
  const settings = values as SettingValues<T>;
  for (const rule of schema.rules) {
    if (rule.of.every((name) => settings[name] !== undefined)) {
      problems.push(...rule.problems(settings, input.machine));
    }
  }
  if (problems.length > 0) return { kind: 'refused', problems };
  return { kind: 'run', settings, operands };
}

/** A command line, split. Values are still text. */
interface Flags {
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
  readonly help: boolean;
  /** Unknown flags, missing values, and too few or too many operands. */
  readonly problems: readonly string[];
}

/** Reads `--flag VALUE`, `--flag=VALUE`, operands and `--`. A flag without its value has no texts. */
function readFlags(schema: CommandOutline, args: readonly string[]): Flags {
  const { name: command, operands: expected, settings } = schema;
  const flags = new Map<string, string[]>();
  const operands: string[] = [];
  // Operands that cannot be the value of an unknown flag before them.
  const certainOperands: string[] = [];
  const problems: string[] = [];
  let afterUnknown = false;
  let help = false;
  for (const token of tokenize(settings, args)) {
    if (token.kind === 'positional') {
      operands.push(token.value);
      if (!afterUnknown) certainOperands.push(token.value);
    }
    afterUnknown = false;
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    const setting = Object.hasOwn(settings, name) ? settings[name] : undefined;
    if (name === 'help') {
      help = true;
    } else if (setting === undefined) {
      afterUnknown = inlineValue !== true;
      problems.push(unknownFlag(schema, rawName));
    } else if (setting.variableOnly === true) {
      problems.push(
        `There is no flag ${rawName}, because other users of the machine can see a command line; set ${variableName(name)}.`,
      );
    } else {
      const texts = flags.get(name) ?? [];
      flags.set(name, texts);
      if (!takesValue(setting)) texts.push(value ?? 'true');
      // A negative number is a value; anything else that starts with a dash is the next flag.
      else if (value !== undefined && (inlineValue || !/^-(?!\d)/.test(value))) texts.push(value);
      else problems.push(`The flag ${rawName} needs a value.`);
    }
  }
  if (operands.length < expected.min) problems.push(`${command} needs a ${expected.placeholder}.`);
  for (const extra of certainOperands.slice(expected.max)) {
    problems.push(`${command} does not take the argument "${extra}".`);
  }
  return { flags, operands, help, problems };
}

function tokenize(settings: Settings, args: readonly string[]) {
  const options: Record<string, { type: 'boolean' | 'string'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  };
  for (const [name, setting] of Object.entries(settings)) {
    options[name] = { type: takesValue(setting) ? 'string' : 'boolean' };
  }
  return parseArgs({ args: [...args], options, strict: false, tokens: true }).tokens;
}

function unknownFlag({ name: command, settings, hints = {} }: CommandOutline, flag: string): string {
  const known = Object.keys(settings).map((name) => `--${name}`);
  const name = flag.replace(/^--/, '');
  const hint = Object.hasOwn(hints, name) ? ` ${hints[name]}` : didYouMean(flag, known);
  return `${command} has no flag ${flag}; siglip-hd ${command} --help lists its flags.${hint}`;
}

/** A setting's texts, and the name to report if one of them is wrong. */
interface Given {
  readonly source: string;
  /** Undefined for a required setting that is missing. */
  readonly texts: readonly string[] | undefined;
}

/** What the user gives, if anything. */
function findGiven(
  name: string,
  setting: Setting,
  flag: readonly string[] | undefined,
  env: NodeJS.ProcessEnv,
): Given | undefined {
  if (flag !== undefined) return { source: `--${name}`, texts: flag };
  const variable = variableName(name);
  const text = setting.flagOnly === true ? '' : (env[variable] ?? '');
  // An empty variable is unset: container templates often write one.
  if (text === '') return undefined;
  return { source: variable, texts: setting.type === 'repeated' ? text.split(',') : [text] };
}

/** What a setting is if the user does not give it. */
function standardOf(
  name: string,
  setting: Setting,
  machine: Machine,
  earlier: Readonly<Record<string, unknown>>,
): Given {
  const standard =
    typeof setting.default === 'object' ? setting.default.of(machine, earlier) : setting.default;
  const usual = standard ?? (setting.type === 'boolean' ? 'false' : undefined);
  if (usual !== undefined) return { source: `The default of --${name}`, texts: [usual] };
  return { source: `--${name}`, texts: isRequired(setting) ? undefined : [] };
}

/** A sentence for each changed setting that has no effect without another, unless that one is wrong in itself. */
function unmetNeeds(
  settings: Settings,
  values: Readonly<Record<string, unknown>>,
  changed: ReadonlySet<string>,
): string[] {
  const isMet = (need: string) => {
    const [name = '', choice] = need.split(' ');
    if (choice === undefined) return changed.has(name);
    const value = values[propertyName(name, settings[name]!)];
    return value === choice || value === undefined;
  };
  return Object.entries(settings).flatMap(([name, { needs = [] }]) =>
    needs.length === 0 || !changed.has(name) || needs.some(isMet)
      ? []
      : [`--${name} needs ${needs.map((need) => `--${need}`).join(' or ')}.`],
  );
}

/** The value, undefined if there is none or it is wrong; and a sentence for each text that is wrong. */
function readGiven(setting: Setting, { source, texts }: Given): { value: unknown; wrong: string[] } {
  if (texts === undefined) return { value: undefined, wrong: [`${source} is missing.`] };
  const values: unknown[] = [];
  const wrong: string[] = [];
  for (const text of texts) {
    const reading = readSetting(setting, text);
    if (reading.ok) values.push(reading.value);
    else wrong.push(...reading.problems.map((problem) => `${source} ${problem}.`));
  }
  const isRepeated = setting.type === 'repeated';
  if (!isRepeated && texts.length > 1)
    wrong.push(`${source} is given ${texts.length} times; it takes one value.`);
  if (wrong.length > 0) return { value: undefined, wrong };
  return { value: isRepeated ? values : values[0], wrong };
}

/** Variables of the Python client and the examples. A command uses a service only where --url names it. */
const clientVariables = ['SIGLIPHD_URL', 'SIGLIPHD_GRPC'] as const;

function unknownVariables(env: NodeJS.ProcessEnv): string[] {
  const settings = commands.flatMap((command) => Object.entries<Setting>(command.settings));
  const known = new Set<string>([
    ...clientVariables,
    ...settings.filter(([, { flagOnly }]) => flagOnly !== true).map(([name]) => variableName(name)),
  ]);
  return Object.keys(env)
    .filter((name) => name.startsWith(variablePrefix) && !known.has(name))
    .map((name) => `siglip-hd has no environment variable ${name}.${didYouMean(name, [...known])}`);
}
