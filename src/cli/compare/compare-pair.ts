import { dirname, join } from 'node:path';
import { makeFolder } from '../../model/import/publish-folder.ts';
import { planRecipe } from '../../recipes/planner.ts';
import type { ExitCode } from '../exit-code.ts';
import { outputNames, readInput } from '../inputs/input-files.ts';
import { openProgress } from '../progress.ts';
import type { CompareSettings } from '../settings/compare.ts';
import type { Terminal } from '../terminal.ts';
import { writeWhole } from '../write-whole.ts';
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
import { compareTokens, summarise, type TokenComparison } from '../../tokens/compare-tokens.ts';
import { type ComparedImages, findImages } from './compared-images.ts';
import { readComparands, readSides, servedModels, type Side } from './compared-models.ts';
import { type CompareParts, type ComparingEncoder, encoderConfig } from './comparing-encoder.ts';
import { attempt, encodeFile, type Run, runComparison } from './comparison-run.ts';
import { EngineTimes } from './engine-times.ts';

/** An image with its comparison. */
interface Compared extends ComparedImage {
  readonly comparison: TokenComparison;
}

/**
 * Encodes images with two models and reports on stdout how far apart their tokens are, token by token, and how long each
 * engine took. Draws a heat map of each image if `settings.out` is set. Resolves with 1 if an image failed; it is reported on
 * stderr and the others are still compared. Rejects if nothing can be compared or written, or on interruption.
 */
export async function comparePair(
  operands: readonly string[],
  settings: CompareSettings,
  terminal: Terminal,
  parts: CompareParts,
): Promise<ExitCode> {
  const comparands = readComparands(operands, settings.teacherOf);
  const { images, failures } = await findImages(comparands.images, settings, parts);
  const targets = heatMapTargets(images, settings.out);
  if (settings.out !== undefined) await makeFolder(settings.out);
  const times = new EngineTimes();
  return await runComparison({ settings, terminal, parts, times, failures }, async (run) => {
    const config = encoderConfig(servedModels(comparands), settings);
    const opened = await parts.createEncoder(config, parts.logger, (batch) => times.add(batch));
    try {
      const sides = readSides(comparands, settings, opened.encoder);
      const compared = await compareAll(run, opened.encoder, sides, images);
      await report(run, sides, compared, targets);
    } finally {
      await opened.close();
    }
  });
}

async function compareAll(
  run: Run,
  encoder: ComparingEncoder,
  sides: readonly [Side, Side],
  images: ComparedImages['images'],
): Promise<Compared[]> {
  const { settings, terminal } = run;
  const say = (text: string) => settings.json || terminal.stdout.write(text);
  say(headLines(sides));
  warnOfLayers(sides, terminal);
  // Without --json the lines on stdout show the progress.
  const progress = settings.json
    ? openProgress(terminal.stderr, 'comparing [{bar}] {value} of {total}, {eta_formatted} left')
    : undefined;
  const compared: Compared[] = [];
  try {
    for (const [index, { path: file }] of images.entries()) {
      progress?.update(index, images.length);
      await attempt(run, file, async () => {
        const one = await compareImage(run, encoder, sides, file);
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
  run: Run,
  encoder: ComparingEncoder,
  sides: readonly [Side, Side],
  file: string,
): Promise<Compared> {
  const a = await encodeFile(run, encoder, sides[0], file);
  const b = await encodeFile(run, encoder, sides[1], file);
  const comparison = compareTokens(a.values, b.values, sides[0].model.channels);
  return { file, size: a.size, comparison, summary: summarise([comparison]) };
}

/** Draws the heat maps, all on one scale so that they compare, then reports the totals. */
async function report(
  run: Run,
  sides: readonly [Side, Side],
  compared: readonly Compared[],
  targets: ReadonlyMap<string, string>,
): Promise<void> {
  const { settings, terminal, failures, times } = run;
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
  await makeFolder(dirname(target));
  await writeWhole(target, [png]);
}

/** The path of each file's heat map; empty without a folder. Throws `invalid_argument` if two files share one. */
function heatMapTargets(
  images: ComparedImages['images'],
  folder: string | undefined,
): ReadonlyMap<string, string> {
  if (folder === undefined) return new Map();
  const names = new Map(images.map(({ path, relativePath }) => [path, relativePath]));
  // Below a root of its own, `..` leads nowhere.
  const nameOf = (file: string) => join(folder, `${join('/', names.get(file) ?? file)}.heat-map.png`);
  return outputNames([...names.keys()], nameOf, 'compare them in two runs with different folders');
}
