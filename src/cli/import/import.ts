import type { ImportSettings } from '../settings/import.ts';
import type { Int8Provenance } from '../../model/manifest.ts';
import type { Model } from '../../model/model.ts';
import type { ExitCode } from '../exit-code.ts';
import type { CheckpointSource } from '../../model/import/import-checkpoint.ts';
import type { RepositoryName } from '../../model/import/hub/repository-name.ts';
import type { CheckpointPart } from '../../model/import/needed-tensors.ts';
import { type FetchCheckpoint, findProjector, findSource, type ImportSource } from './import-source.ts';
import { openProgress, type Progress } from '../progress.ts';
import { interruptible, type Terminal } from '../terminal.ts';

/** importModel of src/model/import/import-model.ts, with int8's calibration already composed. */
export type ImportModel = (
  options: Omit<ImportSettings, 'projector'> & {
    readonly source: string;
    readonly projector: CheckpointSource | undefined;
    readonly origin: ImportSource['origin'] | undefined;
    /** Called with what an int8 import keeps in fp32. */
    readonly onChosen: (chosen: Int8Provenance) => void;
    readonly onNote: (sentence: string) => void;
    readonly signal: AbortSignal;
    readonly onProgress: (doneBytes: number, totalBytes: number) => void;
  },
) => Promise<Model>;

export interface ImportParts {
  readonly importModel: ImportModel;
  readonly fetchCheckpoint: FetchCheckpoint;
  /** Peak memory of the process so far. */
  readonly peakRssBytes: () => number;
}

const mebibyte = 2 ** 20;

const barFormat = '[{bar}] {percentage}% of {total} MiB, {eta_formatted} left';

/**
 * Imports a checkpoint, downloads it first where it is on the hub, and sums up on stdout. Rejects as findSource and
 * importModel do.
 */
export async function importCheckpoint(
  source: string,
  settings: ImportSettings,
  terminal: Terminal,
  { importModel, fetchCheckpoint, peakRssBytes }: ImportParts,
): Promise<ExitCode> {
  const { out, force, revision, projector, towerOnly } = settings;
  const startMs = terminal.now();
  const download = openProgress(terminal.stderr, `downloading ${barFormat}`);
  const progress = openProgress(terminal.stderr, `importing ${barFormat}`);
  let chosen: Int8Provenance | undefined;
  let origin: ImportSource['origin'];
  try {
    const model = await interruptible(terminal, async (signal) => {
      const fetch = (part: CheckpointPart) => (repository: RepositoryName, wanted: string) =>
        fetchCheckpoint(repository, {
          revision: wanted,
          part,
          out,
          force,
          signal,
          onProgress: showBytes(download),
          onCached: (sentence) => terminal.stderr.write(`${sentence}\n`),
        });
      const isTower = towerOnly || projector !== undefined;
      const found = await findSource(source, revision, fetch(isTower ? 'tower' : 'model'));
      const other = projector === undefined ? undefined : await findProjector(projector, fetch('projector'));
      download.close();
      origin = found.origin;
      return importModel({
        ...settings,
        source: found.source,
        projector: other,
        origin,
        onChosen: (one) => {
          chosen = one;
        },
        onNote: (sentence) => terminal.stderr.write(`${sentence}\n`),
        signal,
        onProgress: showBytes(progress),
      });
    });
    progress.close();
    const seconds = ((terminal.now() - startMs) / 1000).toFixed(1);
    const peakMib = Math.round(peakRssBytes() / mebibyte);
    const from = origin === undefined ? '' : ` from ${origin.source} at ${origin.revision};`;
    terminal.stdout.write(`${out}: ${describe(model)};${from} ${seconds} s, peak RSS ${peakMib} MiB\n`);
    if (chosen !== undefined) terminal.stdout.write(`${describeChoice(chosen)}\n`);
    return 0;
  } finally {
    download.close();
    progress.close();
  }
}

function showBytes(progress: Progress): (doneBytes: number, totalBytes: number) => void {
  return (done, total) => progress.update(Math.round(done / mebibyte), Math.ceil(total / mebibyte));
}

function describe({
  imageSize,
  grid,
  channels,
  layers,
  features,
  outputs,
  precision,
  digest,
  projector,
}: Model): string {
  const embeddings =
    projector === undefined
      ? ''
      : `, ${projector.grid.width} x ${projector.grid.height} embeddings of ${projector.hiddenSize} by ${projector.family}`;
  const given = [
    ...(outputs?.features ?? [features]),
    ...(outputs?.classToken ? ['class token'] : []),
    ...(outputs?.pooledChannels === undefined ? [] : [`pooled vector of ${outputs.pooledChannels}`]),
  ];
  return (
    `${imageSize} px to ${grid.width} x ${grid.height} tokens of ${channels} channels, ${layers} layers, ` +
    `${given.join(', ')}, ${precision}${embeddings}, ${digest}`
  );
}

/** The cosine that int8 reaches, and the matrices that stay in fp32. */
function describeChoice({ cosine, minCosine, pictures, float32 }: Int8Provenance): string {
  const measured = `int8: mean cosine with fp32 ${cosine.toFixed(5)} (at least ${minCosine}; ${pictures}); `;
  if (float32.length === 0) return `${measured}every matrix of the layers is int8`;
  return `${measured}${float32.length} stay in fp32, the worst first: ${float32.join(', ')}`;
}
