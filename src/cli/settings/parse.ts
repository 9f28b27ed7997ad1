import type { CommandSchema } from './command.ts';
import { commands } from './commands.ts';
import type { Machine } from './machine.ts';
import { readFlags } from './read-flags.ts';
import { readSetting } from './read-setting.ts';
import {
  propertyName,
  type Setting,
  type Settings,
  type SettingValues,
  variableName,
  variablePrefix,
} from './setting.ts';

export interface CommandInput {
  /** What follows the command's name. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly machine: Machine;
}

export type ParsedCommand<T extends Settings> =
  | { readonly kind: 'run'; readonly settings: SettingValues<T>; readonly operands: readonly string[] }
  | { readonly kind: 'help' }
  /** Everything that is wrong, a sentence each. */
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/**
 * A command's settings from its flags, else the environment, else the defaults; frozen. Nothing is read beyond
 * `input`, and a value in `settings` has been checked wherever it came from.
 */
export function parseCommand<T extends Settings>(
  schema: CommandSchema<T>,
  input: CommandInput,
): ParsedCommand<T> {
  const { flags, operands, help, problems: flagProblems } = readFlags(schema, input.args);
  if (help) return { kind: 'help' };
  const problems = [...flagProblems, ...unknownVariables(input.env)];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries<Setting>(schema.settings)) {
    const { value, wrong } = readGiven(setting, findGiven(name, setting, flags.get(name), input));
    problems.push(...wrong);
    values[propertyName(name, setting)] = deepFreeze(value);
  }
  const settings = Object.freeze(values) as SettingValues<T>;
  for (const rule of schema.rules) {
    if (rule.of.every((name) => settings[name] !== undefined)) {
      problems.push(...rule.problems(settings, input.machine));
    }
  }
  if (problems.length > 0) return { kind: 'refused', problems };
  return { kind: 'run', settings, operands: Object.freeze(operands) };
}

/** A setting's texts and what to call it when one of them is wrong. */
interface Given {
  readonly source: string;
  /** Undefined when it is nowhere given. */
  readonly texts: readonly string[] | undefined;
}

function findGiven(
  name: string,
  setting: Setting,
  flag: readonly string[] | undefined,
  { env, machine }: CommandInput,
): Given {
  const source = `--${name}`;
  if (flag !== undefined) return { source, texts: flag };
  const variable = variableName(name);
  const text = setting.flagOnly === true ? undefined : env[variable];
  // Empty is unset: templates of containers often write a variable with nothing in it.
  if (text !== undefined && text !== '') {
    return { source: variable, texts: setting.type === 'repeated' ? text.split(',') : [text] };
  }
  if (setting.type === 'repeated' || setting.type === 'optional') return { source, texts: [] };
  if (setting.type === 'boolean') return { source, texts: ['false'] };
  if (setting.default === undefined) return { source, texts: undefined };
  const standard = typeof setting.default === 'string' ? setting.default : setting.default.of(machine);
  return { source: `The default of ${source}`, texts: [standard] };
}

/** The value, undefined where there is none to go on with; and a sentence for each text that is wrong. */
function readGiven(setting: Setting, { source, texts }: Given): { value: unknown; wrong: string[] } {
  if (texts === undefined) return { value: undefined, wrong: [`${source} is missing.`] };
  const values: unknown[] = [];
  const wrong: string[] = [];
  for (const text of texts) {
    const reading = readSetting(setting, text);
    if (reading.ok) values.push(reading.value);
    else wrong.push(`${source} ${reading.problem}.`);
  }
  if (setting.type === 'repeated') return { value: wrong.length === 0 ? values : undefined, wrong };
  if (texts.length > 1) wrong.push(`${source} is given ${texts.length} times; it takes one value.`);
  return { value: values[0], wrong };
}

function unknownVariables(env: NodeJS.ProcessEnv): string[] {
  const known = new Set<string>();
  for (const { settings } of commands) {
    for (const [name, { flagOnly }] of Object.entries(settings)) {
      if (flagOnly !== true) known.add(variableName(name));
    }
  }
  return Object.keys(env)
    .filter((name) => name.startsWith(variablePrefix) && !known.has(name))
    .map((name) => `The environment variable ${name} is not one of siglip-hd's.`);
}

function deepFreeze(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
