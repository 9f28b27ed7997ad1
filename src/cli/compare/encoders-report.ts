import type { Size } from '../../recipes/plan.ts';
import { grouped, sideJson, sideLine } from './compare-report.ts';
import type { Side } from './side.ts';
import type { EncoderFigures, PairFigures } from './encoder-figures.ts';
import type { InputFailure } from '../inputs/find-inputs.ts';
import type { EngineTimes } from './engine-times.ts';

/** The report of a run that compares encoders. */
export interface EncodersReport {
  readonly sides: readonly Side[];
  /** Those that every encoder has encoded. */
  readonly images: readonly { readonly file: string; readonly size: Size }[];
  /** Of the compared tokens. */
  readonly grid: Size;
  /** Absent when every image failed. */
  readonly figures?: EncoderFigures;
  readonly times: EngineTimes;
  /** Path of the sheet, if one was written. */
  readonly sheet?: string;
  readonly failures: readonly InputFailure[];
}

const columnWidth = 7;

export function encoderLines(sides: readonly Side[]): string {
  return `${sides.map(sideLine).join('\n')}\n`;
}

/** Both figures of every pair, as two triangles. */
export function figureLines({ sides, images, grid, figures }: EncodersReport): string {
  if (figures === undefined) return '';
  const { neighbours, chance, pairs } = figures;
  return [
    '',
    `Neighbour agreement: the share of a token's ${neighbours} nearest neighbours that both encoders give; by chance ` +
      chanceText(chance),
    ...triangle(sides, pairs, ({ agreement }) => agreement),
    '',
    'CKA: linear, debiased; 1 is the same up to rotation and scale',
    ...triangle(sides, pairs, ({ cka }) => cka),
    '',
    sampleText(figures, images.length, grid),
    '',
  ].join('\n');
}

/** How many tokens were compared, as a sentence. */
export function sampleText({ tokens }: EncoderFigures, images: number, grid: Size): string {
  const all = images * grid.width * grid.height;
  const amount = tokens === all ? grouped(tokens) : `${grouped(tokens)} of ${grouped(all)}`;
  const of = images === 1 ? 'image' : 'images';
  return `Compared at ${amount} places of ${grouped(images)} ${of}, on the common grid of ${grid.width} x ${grid.height} tokens.`;
}

/** A figure with three decimals, rounded down so that only 1 reads as 1; a dash for none. */
export function figureText(value: number | undefined): string {
  return value === undefined ? '-' : (Math.floor(value * 1000 + 1e-9) / 1000).toFixed(3);
}

/** Two digits of the agreement by chance. */
export function chanceText(chance: number): string {
  return String(Number(chance.toPrecision(2)));
}

/** The figure of two encoders, whichever comes first. */
export function pairOf(pairs: readonly PairFigures[], one: number, other: number): PairFigures | undefined {
  return pairs.find(({ a, b }) => a === Math.min(one, other) && b === Math.max(one, other));
}

/** One JSON object with unrounded numbers and times in milliseconds. */
export function encodersJson({
  sides,
  images,
  grid,
  figures,
  times,
  sheet,
  failures,
}: EncodersReport): string {
  const report = {
    encoders: sides.map((side) => ({ label: side.label, ...sideJson(side, times) })),
    images,
    grid,
    tokens: figures?.tokens,
    neighbours: figures?.neighbours,
    chance: figures?.chance,
    pairs: figures?.pairs.map(({ a, b, ...rest }) => ({ a: sides[a]!.label, b: sides[b]!.label, ...rest })),
    sheet,
    failures,
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

function triangle(
  sides: readonly Side[],
  pairs: readonly PairFigures[],
  figure: (pair: PairFigures) => number | undefined,
): string[] {
  const head = sides.slice(0, -1).map(({ label }) => label.padStart(columnWidth));
  const rows = sides.slice(1).map(({ label }, index) => {
    const cells = sides.slice(0, index + 1).map((_, column) => {
      const pair = pairOf(pairs, index + 1, column);
      return figureText(pair && figure(pair)).padStart(columnWidth);
    });
    return ` ${label}${cells.join('')}`;
  });
  return [`  ${head.join('')}`, ...rows];
}
