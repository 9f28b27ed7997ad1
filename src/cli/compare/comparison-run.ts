import type { Logger } from 'pino';
import { withoutControls } from '../../errors/quoted.ts';
import type { Size } from '../../recipes/plan.ts';
import { describeFailure, type ExitCode } from '../exit-code.ts';
import type { InputFailure } from '../inputs/find-inputs.ts';
import { readInput } from '../inputs/input-files.ts';
import type { CompareSettings } from '../settings/compare.ts';
import { interruptible, type Terminal } from '../terminal.ts';
import { float32Values } from '../../tokens/compare-tokens.ts';
import type { Side } from './side.ts';
import type { Encoder } from '../../encoding/encoder.ts';
import type { CreateEncoder } from '../command-encoder.ts';
import type { heatMapFile } from './heat-map.ts';
import type { EngineTimes } from './engine-times.ts';

/** What the command takes from outside. */
export interface CompareParts {
  readonly createEncoder: CreateEncoder<'models' | 'encode'>;
  readonly heatMapFile: typeof heatMapFile;
  /** All of stdin. */
  readonly readStdin: () => Promise<string>;
  readonly logger: Logger;
}

/** One run of the command, with the images that have failed so far. */
export interface Run {
  readonly settings: CompareSettings;
  readonly terminal: Terminal;
  readonly parts: CompareParts;
  readonly times: EngineTimes;
  readonly signal: AbortSignal;
  readonly failures: InputFailure[];
}

/**
 * Does `work`, then names the images that failed on stderr. Resolves with 1 if there are any. Rejects as `work` does, or
 * with `cancelled` if it was interrupted.
 */
export async function runComparison(
  base: Omit<Run, 'signal' | 'failures'> & { readonly failures: readonly InputFailure[] },
  work: (run: Run) => Promise<void>,
): Promise<ExitCode> {
  return await interruptible(base.terminal, async (signal) => {
    const run: Run = { ...base, signal, failures: [...base.failures] };
    try {
      await work(run);
    } finally {
      for (const { file, problem } of run.failures)
        run.terminal.stderr.write(`siglip-hd: ${withoutControls(`${file}: ${problem}`)}\n`);
    }
    return run.failures.length === 0 ? 0 : 1;
  });
}

/** Whether `work` on the file succeeded; records its failure. Rejects only if the run is interrupted. */
export async function attempt(
  { signal, failures }: Run,
  file: string,
  work: () => Promise<void>,
): Promise<boolean> {
  signal.throwIfAborted();
  try {
    await work();
    return true;
  } catch (error) {
    signal.throwIfAborted();
    failures.push({ file, problem: describeFailure(error).text });
    return false;
  }
}

/** The float32 tokens that a side gives of an image file, and the image's size. Counts the engine's time. */
export async function encodeFile(
  { settings: { exif }, times, signal }: Run,
  encoder: Pick<Encoder, 'encode'>,
  { label, model, recipe }: Side,
  file: string,
): Promise<{ readonly values: Float32Array<ArrayBuffer>; readonly size: Size }> {
  const bytes = await readInput(file);
  const answer = await times.watch(label, () =>
    encoder.encode({
      images: [{ kind: 'file', bytes }],
      stacked: false,
      recipe,
      options: { model: model.name, dtype: 'float32', exif, features: [model.features] },
      signal,
    }),
  );
  try {
    return { values: float32Values(answer.tensor), size: answer.metadata.images[0]! };
  } finally {
    answer.release();
  }
}
