import { parseArgs } from 'node:util';
import type { CommandOutline } from './command.ts';
import { variableName } from './setting.ts';

/** A command line taken apart; what it says of each flag is still text. */
export interface Flags {
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
  readonly help: boolean;
  /** Sentences on flags that do not exist or lack a value, and on operands too few or too many. */
  readonly problems: readonly string[];
}

/** Reads `--flag VALUE`, `--flag=VALUE`, operands and `--`. A flag that lacks its value has no texts. */
export function readFlags(schema: CommandOutline, args: readonly string[]): Flags {
  const { name: command, operands: expected, settings } = schema;
  const flags = new Map<string, string[]>();
  const operands: string[] = [];
  // Without those that may be the value of a flag that does not exist.
  const certainOperands: string[] = [];
  const problems: string[] = [];
  let afterUnknown = false;
  let help = false;
  for (const token of tokenize(schema, args)) {
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
      problems.push(
        `The flag ${rawName} is not one of ${command}'s; siglip-hd ${command} --help lists them.`,
      );
    } else if (setting.variableOnly === true) {
      problems.push(`${rawName} is no flag, as others may see a command line; set ${variableName(name)}.`);
    } else {
      const texts = flags.get(name) ?? [];
      flags.set(name, texts);
      if (setting.type === 'boolean') texts.push(value ?? 'true');
      else if (value !== undefined && (inlineValue || !/^-(?!\d)/.test(value))) texts.push(value);
      else problems.push(`The flag ${rawName} needs a value.`);
    }
  }
  if (operands.length < expected.min) problems.push(`${command} needs a ${expected.placeholder}.`);
  for (const extra of certainOperands.slice(expected.max)) {
    problems.push(`The argument "${extra}" is one too many for ${command}.`);
  }
  return { flags, operands, help, problems };
}

function tokenize({ settings }: CommandOutline, args: readonly string[]) {
  const options: Record<string, { type: 'boolean' | 'string'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  };
  for (const [name, { type }] of Object.entries(settings)) {
    options[name] = { type: type === 'boolean' ? 'boolean' : 'string' };
  }
  return parseArgs({ args: [...args], options, strict: false, tokens: true }).tokens;
}
