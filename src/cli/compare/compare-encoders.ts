import { dirname } from 'node:path';
import { makeFolder } from '../../model/import/publish-folder.ts';
import type { ExitCode } from '../exit-code.ts';
import { openProgress } from '../progress.ts';
import type { CompareSettings } from '../settings/compare.ts';
import type { Terminal } from '../terminal.ts';
import { requireWritableFile, writeWhole } from '../write-whole.ts';
import { speedLines } from './compare-report.ts';
import { commonGrid, readEncoders } from './compared-encoders.ts';
import type { Side } from './side.ts';
import type { CompareParts } from './comparison-run.ts';
import { findImages } from './compared-images.ts';
import { type Run, runComparison } from './comparison-run.ts';
import { drawSheet } from './draw-sheet.ts';
import { measureEncoders } from './encoder-figures.ts';
import {
  encodeWith,
  type EncoderTokens,
  joinedTokens,
  pickPlaces,
  type TokenWish,
} from './encoder-tokens.ts';
import { encoderLines, encodersJson, type EncodersReport, figureLines } from './encoders-report.ts';
import { EngineTimes } from './engine-times.ts';

/** Images on a sheet, which all encoders' tokens are kept of. */
const mostPictured = 12;

/**
 * Encodes images with several encoders, one after another, and reports on stdout how far each pair agrees. Writes a sheet
 * if `settings.sheet` is set. Resolves with 1 if an image failed with any encoder; it is reported on stderr and the others
 * are still compared. Rejects if nothing can be compared or written, or on interruption.
 */
export async function compareEncoders(
  operands: readonly string[],
  settings: CompareSettings,
  terminal: Terminal,
  parts: CompareParts,
): Promise<ExitCode> {
  const sides = await readEncoders(settings);
  const { found, failures } = await findImages(operands, settings, parts);
  const files = found.map(({ path }) => path);
  if (settings.sheet !== undefined) await requireWritableFile(settings.sheet);
  const grid = commonGrid(sides);
  const times = new EngineTimes();
  return await runComparison({ settings, terminal, parts, times, failures }, async (run) => {
    if (!settings.json) terminal.stdout.write(encoderLines(sides));
    const places = pickPlaces(files.length, grid, settings.maxTokens);
    const failed = new Set<number>();
    const encoders = await encodeAll(
      run,
      sides,
      { files, grid, places, mostPictured: settings.sheet === undefined ? 0 : mostPictured },
      failed,
    );
    const left = [...files.keys()].filter((index) => !failed.has(index));
    const images = left.map((index) => ({ file: files[index]!, size: encoders[0]!.sizes.get(index)! }));
    const base = { sides, images, grid, times, failures: run.failures };
    if (left.length === 0) {
      if (settings.json) terminal.stdout.write(encodersJson(base));
      return;
    }
    const figures = await measureEncoders(
      encoders.map((encoder) => joinedTokens(encoder, left)),
      run.signal,
    );
    const { sheet } = settings;
    const report = { ...base, figures, ...(sheet === undefined ? {} : { sheet }) };
    if (sheet !== undefined) {
      await makeFolder(dirname(sheet));
      await writeWhole(sheet, [Buffer.from(await drawSheet(settings, report, encoders, left))]);
    }
    terminal.stdout.write(settings.json ? encodersJson(report) : reportLines(report));
  });
}

async function encodeAll(
  run: Run,
  sides: readonly Side[],
  wish: TokenWish,
  failed: Set<number>,
): Promise<EncoderTokens[]> {
  const format = 'encoding [{bar}] {value} of {total}, {eta_formatted} left';
  const progress = openProgress(run.terminal.stderr, format);
  let done = 0;
  const encoders: EncoderTokens[] = [];
  try {
    for (const side of sides) {
      const onImage = () => progress.update(done++, sides.length * wish.files.length);
      encoders.push(await encodeWith(run, side, wish, failed, onImage, encoders[0]));
    }
  } finally {
    progress.close();
  }
  return encoders;
}

function reportLines(report: EncodersReport): string {
  const { sides, times, sheet } = report;
  const written = sheet === undefined ? '' : `\nSheet: ${sheet}\n`;
  return figureLines(report) + speedLines(sides, times) + written;
}
