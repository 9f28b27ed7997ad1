import type { CommandOutline } from './command.ts';
import { valueRange } from './read-setting.ts';
import { isRequired, type Setting, variableName } from './setting.ts';

const width = 100;

/** What `siglip-hd COMMAND --help` prints. */
export function commandHelp({ usage, summary, settings }: CommandOutline): string {
  const blocks = Object.entries(settings).map(([name, setting]) => flagHelp(name, setting));
  const intro = [`Usage: siglip-hd ${usage}`, '', ...wrap(summary, 0), '', 'Options:'];
  const outro = ['  -h, --help', ...wrap('Prints this.', 6), ''];
  return [...intro, ...blocks.flat(), ...outro].join('\n');
}

/** What `siglip-hd --help` prints. */
export function programHelp(
  commands: readonly { readonly name: string; readonly summary: string }[],
): string {
  const lines = ['Usage: siglip-hd COMMAND [OPTION]...', '', 'Commands:'];
  for (const { name, summary } of commands) lines.push(`  ${name}`, ...wrap(summary, 6));
  lines.push('', 'siglip-hd COMMAND --help says more of each; siglip-hd --version prints the version.');
  lines.push('Exit status: 0 done, 1 failed, 2 wrong usage or bad input; at a second signal, which ends it,');
  lines.push('128 and the number of the signal: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP.', '');
  return lines.join('\n');
}

/** `--threads N` and the like. */
export function flagSyntax(name: string, setting: Setting): string {
  switch (setting.type) {
    case 'integer':
      return `--${name} N`;
    case 'milliseconds':
      return `--${name} MS`;
    case 'bytes':
      return `--${name} BYTES`;
    case 'choice':
      return `--${name} ${setting.choices.join('|')}`;
    case 'boolean':
      return `--${name}`;
    case 'text':
    case 'optional':
    case 'repeated':
      break;
  }
  return `--${name} ${setting.placeholder}`;
}

/** The default as documented, or undefined: the setting is then required, off, or empty. */
export function defaultText(setting: Setting): string | undefined {
  return typeof setting.default === 'object' ? setting.default.text : setting.default;
}

function flagHelp(name: string, setting: Setting): string[] {
  const facts: string[] = [];
  const showsValues = setting.type === 'choice' || setting.type === 'boolean';
  if (!showsValues && valueRange(setting) !== '') facts.push(valueRange(setting));
  const standard = defaultText(setting);
  if (standard !== undefined) facts.push(`default ${standard}`);
  else if (isRequired(setting)) facts.push('required');
  if (setting.flagOnly !== true) facts.push(`environment ${variableName(name)}`);
  const tail = facts.length === 0 ? [] : wrap(`[${facts.join('; ')}]`, 6);
  const head = setting.variableOnly === true ? variableName(name) : flagSyntax(name, setting);
  return [`  ${head}`, ...wrap(setting.description, 6), ...tail];
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((each) => ' '.repeat(indent) + each);
}
