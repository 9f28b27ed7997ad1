import assert from 'node:assert/strict';
import { pino } from 'pino';
import { compareModels } from '../../../src/cli/compare/compare.ts';
import type { CompareParts } from '../../../src/cli/compare/comparison-run.ts';
import { heatMapFile } from '../../../src/cli/compare/heat-map.ts';
import { compareCommand } from '../../../src/cli/settings/compare.ts';
import { parseCommand } from '../../../src/cli/settings/parse.ts';
import { Encoder } from '../../../src/encoding/encoder.ts';
import { fakeTerminal } from '../fake-terminal.ts';

/** The command's own parts, as main.ts makes them. */
export const realParts: CompareParts = {
  heatMapFile,
  createEncoder: async (config, logger, observer = {}) => Encoder.open(config, observer, logger, () => {}),
  readStdin: async () => assert.fail('stdin was read'),
  logger: pino({ level: 'silent' }),
};

/** Runs the command with these arguments. Rejects as it does. */
export async function compare(
  args: readonly string[],
  parts: CompareParts = realParts,
  faked = fakeTerminal(),
) {
  const machine = { cores: 2, poolThreads: 4, cacheHome: '/c', hasIpv6: true };
  const parsed = parseCommand(compareCommand, { args, env: {}, machine });
  assert.equal(parsed.kind, 'run', JSON.stringify(parsed));
  const exitCode = await compareModels(parsed.operands, parsed.settings, faked.terminal, parts);
  return { exitCode, stdout: faked.stdout.text, stderr: faked.stderr.text };
}
