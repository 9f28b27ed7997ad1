import { benchOutline, defaultText, flagSyntax } from './help.ts';
import { commands } from './parse.ts';
import { valueRange } from './read-setting.ts';
import { serveCommand } from './serve.ts';
import { isRequired, type Setting, variableName, variablePrefix } from './setting.ts';

const intro = `<!-- Made by \`npm run docs\` from src/cli/settings. -->

# Configuration

A flag overrides its environment variable, which overrides the default. An empty variable counts as unset. Bytes may be
written with KiB, MiB or GiB.

Every value is checked before anything starts. Unknown flags, unknown variables with the prefix \`${variablePrefix}\`, values
out of range and values that contradict each other are all listed at once, and the exit status is 2. \`SIGLIPHD_URL\` and
\`SIGLIPHD_GRPC\` are variables of the Python client and the examples; the commands ignore them.

The prefix has no underscore inside on purpose. In a namespace with a Service named \`siglip-hd\`, Kubernetes sets
variables that start with \`SIGLIP_HD_\` in every pod (\`SIGLIP_HD_PORT=tcp://...\`). If your Service is named
\`sigliphd\`, set \`enableServiceLinks: false\` in the pods.

The view threads decode ordinary JPEGs and GIFs; libvips decodes all other images on libuv's threads. Only the environment
variable \`UV_THREADPOOL_SIZE\` can set their number, before the program starts; \`siglip-hd\` sets it to cores + 4 if it is
unset.

[Security](security.md) describes API keys and certificates.`;

/** docs/configuration.md. */
export function configurationReference(): string {
  const sections = commands.map(({ name, usage, summary, settings }) => {
    const entries = Object.entries(settings);
    // Settings that serve has too are described once, there.
    const shared = name === serveCommand.name ? [] : entries.filter(([key, each]) => isServes(key, each));
    const own = entries.filter((entry) => !shared.includes(entry));
    const also = shared.map(([key]) => `\`--${key}\``).join(', ');
    return [
      `## siglip-hd ${name}\n\n    siglip-hd ${usage}\n\n${summary}\n`,
      '| flag | variable | values | default | |\n| --- | --- | --- | --- | --- |',
      ...own.map(([key, setting]) => row(key, setting)),
      ...(also === '' ? [] : [`\nSame as for serve: ${also}.`]),
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
  const flag =
    setting.type === 'choice' || setting.type === 'boolean' ? `--${name}` : flagSyntax(name, setting);
  const cells = [
    setting.variableOnly === true ? '' : `\`${flag}\``,
    setting.flagOnly === true ? '' : `\`${variableName(name)}\``,
    valueRange(setting),
    standard ?? (isRequired(setting) ? 'required' : ''),
    setting.description,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
