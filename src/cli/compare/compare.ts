import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Logger } from 'pino';
import type { CompareSettings } from '../settings/compare.ts';
import type { EncoderConfig } from '../../encoding/encoder-config.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { DecodeOptions } from '../../image/decode.ts';
import type { HeatMap } from './heat-map.ts';
import { makeFolder } from '../../model/import/publish-folder.ts';
import { planRecipe } from '../../recipes/planner.ts';
import type { VisualEncoder } from '../../encoding/request.ts';
import { compareTokens, float32Values, summarise, type TokenComparison } from './compare-tokens.ts';
import {
  allLine,
  type ComparedImage,
  headLines,
  heatMapLine,
  imageLine,
  reportJson,
  roundedScale,
  speedLines,
} from './compare-report.ts';
import { type Comparands, readComparands, readSides, servedModels, type Side } from './compared-models.ts';
import { EngineTimes } from './engine-times.ts';
import { describeFailure, type ExitCode } from '../exit-code.ts';
import { outputNames } from '../input-files.ts';
import { openProgress } from '../progress.ts';
import { readInput } from '../input-files.ts';
import { interruptible, type Terminal } from '../terminal.ts';

type ComparingEncoder = Pick<VisualEncoder, 'encode' | 'plan' | 'models'>;

export interface CompareParts {
  /** Opens the pipeline in this process, without transports; `onBatch` is called for each run of an engine. */
  readonly createEncoder: (
    config: EncoderConfig,
    logger: Logger,
    onBatch: (batch: { readonly views: number; readonly engineMs: number }) => void,
  ) => Promise<{ readonly encoder: ComparingEncoder; close(): Promise<void> }>;
  /** heatMapFile of src/cli/compare/heat-map.ts. */
  readonly heatMapFile: (bytes: Uint8Array, options: DecodeOptions, map: HeatMap) => Promise<Uint8Array>;
  readonly logger: Logger;
}

/** The longest time of a timer: no other caller waits behind these requests. */
const noTimeoutMs = 2 ** 31 - 1;

/** An image with its comparison. */
interface Compared extends ComparedImage {
  readonly comparison: TokenComparison;
}

/** One run of the command, with the images that have failed so far. */
interface Run {
  readonly comparands: Comparands;
  readonly settings: CompareSettings;
  readonly terminal: Terminal;
  readonly parts: CompareParts;
  readonly signal: AbortSignal;
  readonly failures: { readonly file: string; readonly problem: string }[];
}

/**
 * Encodes images with two models and reports on stdout how far apart their tokens are and how long each engine took.
 * Draws a heat map of each image if `settings.out` is set. Resolves with 1 if an image failed; it is reported on stderr
 * and the others are still compared. Rejects if nothing can be compared or written, or on interruption.
 */
export async function compareModels(
  operands: readonly string[],
  settings: CompareSettings,
  terminal: Terminal,
  parts: CompareParts,
): Promise<ExitCode> {
  const comparands = readComparands(operands, settings.teacherOf);
  const targets = heatMapTargets(comparands.files, settings.out);
  if (settings.out !== undefined) await makeFolder(settings.out);
  const times = new EngineTimes();
  return await interruptible(terminal, async (signal) => {
    const run: Run = { comparands, settings, terminal, parts, signal, failures: [] };
    try {
      const opened = await parts.createEncoder(encoderConfig(run), parts.logger, (batch) => times.add(batch));
      try {
        const sides = readSides(comparands, settings, opened.encoder);
        const compared = await compareAll(run, opened.encoder, sides, times);
        await report(run, sides, compared, times, targets);
      } finally {
        await opened.close();
      }
    } catch (error) {
      throw signal.aborted ? new ServiceError('cancelled', 'Interrupted.', { cause: error }) : error;
    } finally {
      for (const { file, problem } of run.failures) terminal.stderr.write(`siglip-hd: ${file}: ${problem}\n`);
    }
    return run.failures.length === 0 ? 0 : 1;
  });
}

/** One view at a time, so that nothing competes for cores while an engine is timed. */
function encoderConfig({ comparands, settings }: Run): EncoderConfig {
  const { device, threads, maxPixels } = settings;
  return {
    models: servedModels(comparands),
    device,
    engines: 1,
    threads,
    maxBatch: 1,
    warmUpMs: 1000,
    engineTimeoutMs: 3_600_000,
    viewThreads: 1,
    decodeConcurrency: 1,
    maxPixels,
    maxRasterBytes: Number.POSITIVE_INFINITY,
    maxQueuedViews: 64,
    maxAnswerBytes: Number.POSITIVE_INFINITY,
    cacheBytes: 0,
    shareCache: false,
    maxUnreadBytes: Number.POSITIVE_INFINITY,
    requestTimeoutMs: noTimeoutMs,
  };
}

async function compareAll(
  run: Run,
  encoder: ComparingEncoder,
  sides: readonly [Side, Side],
  times: EngineTimes,
): Promise<Compared[]> {
  const { comparands, settings, terminal, signal } = run;
  const { files } = comparands;
  const say = (text: string) => settings.json || terminal.stdout.write(text);
  say(headLines(sides));
  warnOfLayers(sides, terminal);
  // Without --json the lines on stdout show the progress.
  const progress = settings.json
    ? openProgress(terminal.stderr, 'comparing [{bar}] {value} of {total}, {eta_formatted} left')
    : undefined;
  const compared: Compared[] = [];
  try {
    for (const [index, file] of files.entries()) {
      progress?.update(index, files.length);
      await attempt(run, file, async () => {
        const one = await compareImage(file, encoder, sides, times, settings, signal);
        compared.push(one);
        say(imageLine(one));
      });
    }
  } finally {
    progress?.close();
  }
  return compared;
}

function warnOfLayers([a, b]: readonly [Side, Side], { stderr }: Terminal): void {
  if (a.model.features === b.model.features) return;
  stderr.write(
    `siglip-hd: A gives ${a.model.features} and B ${b.model.features}: these are different hidden states.\n`,
  );
}

async function compareImage(
  file: string,
  encoder: ComparingEncoder,
  sides: readonly [Side, Side],
  times: EngineTimes,
  { exif }: CompareSettings,
  signal: AbortSignal,
): Promise<Compared> {
  const encode = async ({ label, model, recipe }: Side) => {
    const bytes = await readInput(file);
    const answer = await times.watch(label, () =>
      encoder.encode({
        images: [{ kind: 'file', bytes }],
        stacked: false,
        recipe,
        options: { model: model.name, dtype: 'float32', exif },
        signal,
      }),
    );
    return { values: float32Values(answer.tensor), size: answer.metadata.images[0]! };
  };
  const a = await encode(sides[0]);
  const b = await encode(sides[1]);
  const comparison = compareTokens(a.values, b.values, sides[0].model.channels);
  return { file, size: a.size, comparison, summary: summarise([comparison]) };
}

/** Draws the heat maps, all on one scale so that they compare, then reports the totals. */
async function report(
  run: Run,
  sides: readonly [Side, Side],
  compared: readonly Compared[],
  times: EngineTimes,
  targets: ReadonlyMap<string, string>,
): Promise<void> {
  const { settings, terminal, failures } = run;
  if (compared.length === 0) {
    if (settings.json) terminal.stdout.write(reportJson({ sides, images: [], times, failures }));
    return;
  }
  const all = summarise(compared.map(({ comparison }) => comparison));
  const scaleMax = settings.heatMax ?? roundedScale(1 - all.cosine.percentile1);
  const images: ComparedImage[] = [];
  for (const one of compared) {
    const target = targets.get(one.file);
    if (target === undefined) images.push(one);
    else {
      const isDrawn = await attempt(run, one.file, () => writeHeatMap(run, sides[0], one, scaleMax, target));
      images.push(isDrawn ? { ...one, heatMap: target } : one);
    }
  }
  const { out } = settings;
  if (settings.json) {
    const scale = out === undefined ? {} : { scaleMax };
    terminal.stdout.write(reportJson({ sides, images, all, times, failures, ...scale }));
    return;
  }
  terminal.stdout.write(allLine(all, images.length) + speedLines(sides, times));
  if (out !== undefined) terminal.stdout.write(heatMapLine(out, scaleMax));
}

async function writeHeatMap(
  { settings, parts }: Run,
  { model }: Side,
  { file, size, comparison }: Compared,
  scaleMax: number,
  target: string,
): Promise<void> {
  const { exif, maxPixels } = settings;
  const { grid, patchSize } = model;
  const { canvases, viewSize } = planRecipe(size, model, { recipe: 'encode' });
  const [canvas] = canvases;
  if (canvas === undefined) throw new RangeError('the plan has no canvas');
  const map = { values: comparison.cosines.map((cosine) => 1 - cosine), grid, scaleMax };
  const png = await parts.heatMapFile(
    await readInput(file),
    { exif, maxPixels },
    { ...map, canvas, viewSize, patchSize },
  );
  const temporary = `${target}.${process.pid}.part`;
  try {
    await writeFile(temporary, png);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Whether `work` on the file succeeded; records its failure. Rejects only if the run is interrupted. */
async function attempt({ signal, failures }: Run, file: string, work: () => Promise<void>): Promise<boolean> {
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

/** The path of each file's heat map; empty without a folder. Throws `invalid_argument` if two files share one. */
function heatMapTargets(files: readonly string[], folder: string | undefined): ReadonlyMap<string, string> {
  if (folder === undefined) return new Map();
  const nameOf = (file: string) => join(folder, `${basename(file)}.heat-map.png`);
  return outputNames(files, nameOf, 'compare them in two runs with different folders');
}
