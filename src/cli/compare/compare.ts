import type { ExitCode } from '../exit-code.ts';
import type { CompareSettings } from '../settings/compare.ts';
import type { Terminal } from '../terminal.ts';
import { compareEncoders } from './compare-encoders.ts';
import { comparePair } from './compare-pair.ts';
import type { CompareParts } from './comparison-run.ts';

/** Compares the encoders that --model names, or else the two models among the operands, token by token. */
export async function compareModels(
  operands: readonly string[],
  settings: CompareSettings,
  terminal: Terminal,
  parts: CompareParts,
): Promise<ExitCode> {
  return settings.models.length > 0
    ? await compareEncoders(operands, settings, terminal, parts)
    : await comparePair(operands, settings, terminal, parts);
}
