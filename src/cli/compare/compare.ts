import type { Logger } from 'pino';
import type { CreateEncoder } from '../command-encoder.ts';
import type { ExitCode } from '../exit-code.ts';
import type { CompareSettings } from '../settings/compare.ts';
import type { Terminal } from '../terminal.ts';
import { compareEncoders } from './compare-encoders.ts';
import { comparePair } from './compare-pair.ts';
import type { heatMapFile } from './heat-map.ts';

export interface CompareParts {
  readonly createEncoder: CreateEncoder;
  readonly heatMapFile: typeof heatMapFile;
  /** All of stdin. */
  readonly readStdin: () => Promise<string>;
  readonly logger: Logger;
}

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
