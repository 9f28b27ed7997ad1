import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { commands } from '../../../src/cli/settings/parse.ts';
import { commandHelp } from '../../../src/cli/settings/help.ts';
import { configurationReference } from '../../../src/cli/settings/reference.ts';
import { type Setting, variableName } from '../../../src/cli/settings/setting.ts';

test('docs/configuration.md is what the schema says; npm run docs writes it', async () => {
  const file = new URL('../../../../docs/configuration.md', import.meta.url);
  assert.equal(await readFile(file, 'utf8'), configurationReference());
});

test('names every flag, variable and description in --help and in the reference', () => {
  const reference = configurationReference();
  for (const command of commands) {
    const help = commandHelp(command).replaceAll(/\s+/g, ' ');
    for (const [name, setting] of Object.entries<Setting>(command.settings)) {
      const { description, flagOnly, variableOnly } = setting;
      const written = variableOnly === true ? variableName(name) : `--${name}`;
      for (const text of [written, description]) {
        assert.ok(help.includes(text), text);
        assert.ok(reference.includes(text.replaceAll('|', '\\|')), text);
      }
      assert.equal(help.includes(`environment ${variableName(name)}`), flagOnly !== true, name);
    }
  }
});

test('keeps --help within 100 columns', () => {
  for (const command of commands) {
    for (const line of commandHelp(command).split('\n')) assert.ok(line.length <= 100, line);
  }
});
