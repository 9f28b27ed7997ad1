import type { Size } from '../../recipes/plan.ts';
import type { ComparisonSummary } from '../../tokens/compare-tokens.ts';
import type { Side } from './side.ts';
import type { InputFailure } from '../inputs/find-inputs.ts';
import type { EngineTimes } from './engine-times.ts';

/** The report of one image. */
export interface ComparedImage {
  readonly file: string;
  /** Decoded, in pixels. */
  readonly size: Size;
  readonly summary: ComparisonSummary;
  /** Path of its heat map, if one was drawn. */
  readonly heatMap?: string;
}

/** The report of a whole run. */
export interface ComparisonReport {
  readonly sides: readonly [Side, Side];
  readonly images: readonly ComparedImage[];
  /** All tokens of all images; absent when every image failed. */
  readonly all?: ComparisonSummary;
  readonly times: EngineTimes;
  /** The end of the heat maps' scale, if any were drawn. */
  readonly scaleMax?: number;
  readonly failures: readonly InputFailure[];
}

const titles = ['mean cos', '1st pct.', 'min cos', 'mean |A-B|', 'max |A-B|'] as const;
const columnWidth = 10;

/** The two sides, and the titles of the columns. */
export function headLines(sides: readonly [Side, Side]): string {
  const columns = titles.map((title) => title.padStart(columnWidth)).join('  ');
  return `${sides.map(sideLine).join('\n')}\n\n${columns}  image\n`;
}

export function imageLine({ file, summary }: ComparedImage): string {
  return `${cells(summary)}  ${file}\n`;
}

export function allLine(all: ComparisonSummary, images: number): string {
  return `${cells(all)}  all: ${grouped(images)} image${images === 1 ? '' : 's'}, ${grouped(all.tokens)} tokens\n`;
}

/** The speed of each side that was measured. */
export function speedLines(sides: readonly Side[], times: EngineTimes): string {
  const lines = sides.flatMap(({ label, views }) => {
    const speed = times.speed(label);
    if (speed === undefined) return [];
    const image = views === 1 ? '' : `, ${fixed(speed.msPerImage)} ms per image of ${views} views`;
    return [`${label}  ${fixed(speed.msPerView)} ms per view${image} (median)\n`];
  });
  return `\n${lines.join('')}`;
}

export function heatMapLine(folder: string, scaleMax: number): string {
  return `\nHeat maps in ${folder}: 1 - cosine, from 0 (black) to ${scaleMax} or more (pale yellow).\n`;
}

/** One JSON object with unrounded numbers and times in milliseconds. */
export function reportJson({ sides, images, all, times, scaleMax, failures }: ComparisonReport): string {
  const report = {
    a: sideJson(sides[0], times),
    b: sideJson(sides[1], times),
    images: images.map(({ file, size, summary, heatMap }) => ({ file, size, ...summary, heatMap })),
    all,
    heatMapMax: scaleMax,
    failures,
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

/** What JSON says of a side. */
export function sideJson({ label, name, model, recipe, views }: Side, times: EngineTimes) {
  const { folder, digest, precision, features, imageSize, grid, channels, trained } = model;
  const about = { name, folder, digest, trained, precision, features, imageSize, grid, channels };
  return { ...about, recipe, views, ...times.speed(label) };
}

/** The distance rounded up to 1, 2 or 5 times a power of ten; at least 0.000001. */
export function roundedScale(distance: number): number {
  const least = Math.max(distance, 1e-6);
  const exponent = Math.floor(Math.log10(least));
  const steps = [1, 2, 5, 10].map((step) => Number(`${step}e${exponent}`));
  return steps.find((step) => step >= least) ?? least;
}

/** A side's label, name and geometry; the scales of a teacher on a second line. */
export function sideLine({ label, name, model, recipe, views }: Side): string {
  const { precision, features, imageSize, grid, channels } = model;
  const tokens = `${grid.width} x ${grid.height} tokens of ${grouped(channels)} channels`;
  return `${label}  ${name}: ${precision}, ${features}, ${imageSize} px, ${tokens}${asTeacher(recipe, model, views)}`;
}

function asTeacher(recipe: Side['recipe'], { imageSize }: Side['model'], views: number): string {
  if (recipe.recipe !== 'teacher') return '';
  const scales = recipe.scales ?? [imageSize, 2 * imageSize];
  const weights = recipe.weights === undefined ? '' : ` weighted ${recipe.weights.join(':')}`;
  return `\n   as teacher: scales ${scales.join(', ')}${weights}, ${recipe.windows}, ${views} views`;
}

function cells({ cosine, meanL1, largestDifference }: ComparisonSummary): string {
  const cosines = [cosine.mean, cosine.percentile1, cosine.minimum].map(cosineText);
  const differences = [meanL1, largestDifference].map((value) => String(Number(value.toPrecision(3))));
  return [...cosines, ...differences].map((cell) => cell.padStart(columnWidth)).join('  ');
}

/** Rounds down, so that only 1 reads as 1. */
function cosineText(cosine: number): string {
  return (Math.floor(cosine * 1e7) / 1e7).toFixed(7);
}

function fixed(ms: number): string {
  return ms.toLocaleString('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

/** With commas between thousands. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
