import { dirname, join } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';
import { makeFolder, requireWritable } from '../../model/import/publish-folder.ts';
import { planRecipe } from '../../recipes/planner.ts';
import type { ExitCode } from '../exit-code.ts';
import { readInput } from '../inputs/input-files.ts';
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
import type { Inputs } from '../inputs/find-inputs.ts';
import { findImages } from './compared-images.ts';
import type { Encoder } from '../../encoding/encoder.ts';
import type { CompareParts } from './comparison-run.ts';
import { readComparands, readSides, servedModels } from './compared-models.ts';
import { withEncoder } from './comparing-encoder.ts';
import type { Side } from './side.ts';
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
  const { found, failures } = await findImages(comparands.images, settings, parts);
  const targets = heatMapTargets(found, settings.out);
  if (settings.out !== undefined) await requireWritable(settings.out);
  const times = new EngineTimes();
  return await runComparison({ settings, terminal, parts, times, failures }, async (run) => {
    await withEncoder(run, servedModels(comparands), async (encoder) => {
      const sides = readSides(comparands, settings, encoder);
      const compared = await compareAll(run, encoder, sides, found);
      await report(run, sides, compared, targets);
    });
  });
}

async function compareAll(
  run: Run,
  encoder: Pick<Encoder, 'encode'>,
  sides: readonly [Side, Side],
  images: Inputs['found'],
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
  encoder: Pick<Encoder, 'encode'>,
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
function heatMapTargets(images: Inputs['found'], folder: string | undefined): ReadonlyMap<string, string> {
  const targets = new Map<string, string>();
  if (folder === undefined) return targets;
  const sources = new Map<string, string>();
  for (const { path, relativePath } of images) {
    // Below a root of its own, `..` leads nowhere.
    const target = join(folder, `${join('/', relativePath)}.heat-map.png`);
    const other = sources.get(target);
    if (other !== undefined) {
      throw new ServiceError(
        'invalid_argument',
        `The heat maps of ${other} and ${path} would both be ${target}; compare them in two runs with different folders.`,
      );
    }
    sources.set(target, path);
    targets.set(path, target);
  }
  return targets;
}
