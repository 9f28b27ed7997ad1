import type { CommandOutline } from './command.ts';
import { commands } from './parse.ts';
import { valueRange } from './read-setting.ts';
import { isRequired, type Setting, takesValue, variableName } from './setting.ts';

const width = 100;

/** The benchmark, which parses its own arguments. */
export const benchOutline = {
  name: 'bench',
  summary: 'Measures the service. Only in a clone: npm run bench.',
};

/** The output of `siglip-hd COMMAND --help`. */
export function commandHelp({ usage, summary, settings }: CommandOutline): string {
  const blocks = Object.entries(settings).map(([name, setting]) => flagHelp(name, setting));
  const intro = [`Usage: siglip-hd ${usage}`, '', ...wrap(summary, 0), '', 'Options:'];
  const outro = ['  -h, --help', ...wrap('Prints this help.', 6), ''];
  return [...intro, ...blocks.flat(), ...outro].join('\n');
}

/** The output of `siglip-hd --help`. */
export function programHelp(): string {
  const lines = ['Usage: siglip-hd COMMAND [OPTION]...', '', 'Commands:'];
  for (const { name, summary } of [...commands, benchOutline]) lines.push(`  ${name}`, ...wrap(summary, 6));
  lines.push(
    '',
    'siglip-hd help COMMAND describes a command, as COMMAND --help does; siglip-hd --version prints the version.',
  );
  lines.push(
    'Exit status: 0 success; 1 failure; 2 wrong usage or bad input; 130, 143 or 129 after SIGINT, SIGTERM',
    'or SIGHUP. serve first answers the requests in flight and then ends with 0, even if it was not ready',
    'yet; a second signal, 0.2 s or more after the first, ends it at once.',
    '',
  );
  return lines.join('\n');
}

/** The flag with its placeholder, as in `--threads N`. */
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
      return takesValue(setting) ? `--${name} ${valueRange(setting).replaceAll(' ', '')}` : `--${name}`;
    case 'text':
    case 'optional':
    case 'repeated':
      break;
  }
  return `--${name} ${setting.placeholder}`;
}

/** The documented default; undefined for a setting that is then required, off, or empty. */
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
