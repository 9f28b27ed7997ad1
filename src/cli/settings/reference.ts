import { benchOutline, commands } from './commands.ts';
import { serveCommand } from './serve.ts';
import { defaultText, flagSyntax } from './help.ts';
import { valueRange } from './read-setting.ts';
import { isRequired, type Setting, variableName, variablePrefix } from './setting.ts';

const intro = `<!-- Made by \`npm run docs\` from src/cli/settings. -->

# Configuration

A flag wins over its environment variable, which wins over the default. Every value is checked before anything starts:
unknown flags, unknown variables that start with \`${variablePrefix}\`, values out of range and values that contradict each
other are all listed at once, and the exit status is 2. An empty variable counts as unset. Bytes may be written with
KiB, MiB or GiB.

The prefix has no underscore inside on purpose: beside a Service named \`siglip-hd\`, Kubernetes sets variables that start
with \`SIGLIP_HD_\` in every pod (\`SIGLIP_HD_PORT=tcp://...\`). Beside one named \`sigliphd\`, set
\`enableServiceLinks: false\`.

Images are decoded on libuv's threads, whose number only the environment can set, before the program starts:
\`UV_THREADPOOL_SIZE\`. The \`siglip-hd\` command sets it to cores + 4 where it is not set.

[Security](security.md) says how API keys and certificates are written, and what needs them.`;

/** docs/configuration.md. */
export function configurationReference(): string {
  const sections = commands.map(({ name, usage, summary, settings }) => {
    const entries = Object.entries(settings);
    // A setting that serve has too is described there.
    const shared = name === serveCommand.name ? [] : entries.filter(([key, each]) => isServes(key, each));
    const own = entries.filter((entry) => !shared.includes(entry));
    const also = shared.map(([key]) => `\`--${key}\``).join(', ');
    return [
      `## siglip-hd ${name}\n\n    siglip-hd ${usage}\n\n${summary}\n`,
      '| flag | variable | values | default | |\n| --- | --- | --- | --- | --- |',
      ...own.map(([key, setting]) => row(key, setting)),
      ...(also === '' ? [] : [`\nAlso, as for serve: ${also}.`]),
    ].join('\n');
  });
  const bench = `## siglip-hd ${benchOutline.name}\n\n${benchOutline.summary}`;
  return `${[intro, ...sections, bench].join('\n\n')}\n`;
}

function isServes(name: string, setting: Setting): boolean {
  const settings: Readonly<Record<string, Setting>> = serveCommand.settings;
  return settings[name] === setting;
}

function row(name: string, setting: Setting): string {
  const standard = defaultText(setting);
  const flag = setting.type === 'choice' ? `--${name}` : flagSyntax(name, setting);
  const cells = [
    setting.variableOnly === true ? '' : `\`${flag}\``,
    setting.flagOnly === true ? '' : `\`${variableName(name)}\``,
    valueRange(setting),
    standard ?? (isRequired(setting) ? 'required' : ''),
    setting.description,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
