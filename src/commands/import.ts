import type { ImportSettings } from '../config/commands.ts';
import type { Int8Provenance } from '../model/manifest.ts';
import type { Model } from '../model/model.ts';
import type { ExitCode } from './exit-code.ts';
import { openProgress } from './progress.ts';
import { interruptible, type Terminal } from './terminal.ts';

/** importModel of src/model/import.ts with the calibration of int8 put together, as this command calls it. */
export type ImportModel = (
  options: ImportSettings & {
    readonly source: string;
    /** Told what an int8 import keeps in fp32. */
    readonly onChosen: (chosen: Int8Provenance) => void;
    readonly signal: AbortSignal;
    readonly onProgress: (doneBytes: number, totalBytes: number) => void;
  },
) => Promise<Model>;

export interface ImportParts {
  readonly importModel: ImportModel;
  /** The most memory that the process has held so far. */
  readonly peakRssBytes: () => number;
}

const mebibyte = 2 ** 20;

/** Imports a checkpoint and says on stdout what came of it. Rejects as importModel does. */
export async function importCheckpoint(
  source: string,
  settings: ImportSettings,
  terminal: Terminal,
  { importModel, peakRssBytes }: ImportParts,
): Promise<ExitCode> {
  const { out } = settings;
  const startMs = terminal.now();
  const progress = openProgress(
    terminal.stderr,
    'importing [{bar}] {percentage}% of {total} MiB, {eta_formatted} left',
  );
  let chosen: Int8Provenance | undefined;
  try {
    const model = await interruptible(terminal, (signal) =>
      importModel({
        ...settings,
        source,
        onChosen: (one) => {
          chosen = one;
        },
        signal,
        onProgress: (done, total) =>
          progress.update(Math.round(done / mebibyte), Math.ceil(total / mebibyte)),
      }),
    );
    progress.close();
    const seconds = ((terminal.now() - startMs) / 1000).toFixed(1);
    const peakMib = Math.round(peakRssBytes() / mebibyte);
    terminal.stdout.write(`${out}: ${describe(model)}; ${seconds} s, peak RSS ${peakMib} MiB\n`);
    if (chosen !== undefined) terminal.stdout.write(`${describeChoice(chosen)}\n`);
    return 0;
  } finally {
    progress.close();
  }
}

function describe({ imageSize, grid, channels, layers, features, precision, digest }: Model): string {
  return (
    `${imageSize} px to ${grid.width} x ${grid.height} tokens of ${channels} channels, ${layers} layers, ` +
    `${features}, ${precision}, ${digest}`
  );
}

/** What int8 was measured at, and which matrices stay in fp32. */
function describeChoice({ cosine, minCosine, pictures, float32 }: Int8Provenance): string {
  const measured = `int8: mean cosine with fp32 ${cosine.toFixed(5)} (at least ${minCosine}; ${pictures}); `;
  if (float32.length === 0) return `${measured}every matrix of the layers is int8`;
  return `${measured}${float32.length} stay in fp32, the worst first: ${float32.join(', ')}`;
}
