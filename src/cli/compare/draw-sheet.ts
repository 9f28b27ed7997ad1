import { TokenColours } from '../../tokens/colours/token-colours.ts';
import { readInput } from '../inputs/input-files.ts';
import { pictureFile, thumbnailFile } from './picture-files.ts';
import { isCropping, type Side } from './side.ts';
import type { DecodeOptions } from '../../image/decode.ts';
import type { EncoderTokens } from './encoder-tokens.ts';
import { type Sheet, sheetPage, type SheetRow } from './sheet.ts';

/** Draws the sheet of a report. `left` are the indices of its images among all files. */
export async function drawSheet(
  { exif, maxPixels }: DecodeOptions,
  report: Sheet['report'],
  encoders: readonly EncoderTokens[],
  left: readonly number[],
): Promise<string> {
  const shown = left.filter((index) => encoders[0]!.pictured.has(index));
  const colours = shown.length === 0 ? [] : coloursOf(encoders, shown);
  const rows: SheetRow[] = [];
  for (const index of shown) {
    const { file, size } = report.images[left.indexOf(index)]!;
    const pictures = encoders.map(({ side, pictured }, encoder) => {
      const rgb = colours[encoder]!.paint(pictured.get(index)!);
      return pictureFile({ rgb, size: side.model.grid });
    });
    const thumbnail = await thumbnailFile(await readInput(file), { exif, maxPixels });
    rows.push({ file, size, thumbnail, pictures: await Promise.all(pictures) });
  }
  return sheetPage({ report, rows, colours, isCropped: encoders.some(({ side }) => isCropping(side)) });
}

/** The colours of each encoder, fitted to all its shown images, and to those of the encoders of its kind. */
function coloursOf(encoders: readonly EncoderTokens[], shown: readonly number[]): TokenColours[] {
  const fitted = new Map<string, TokenColours>();
  for (const { side } of encoders) {
    const kind = kindOf(side);
    if (fitted.has(kind)) continue;
    const alike = encoders.filter((encoder) => kindOf(encoder.side) === kind);
    const sets = alike.flatMap(({ pictured }) => shown.map((index) => pictured.get(index)!));
    fitted.set(kind, TokenColours.fit(sets));
  }
  return encoders.map(({ side }) => fitted.get(kindOf(side))!);
}

/** The same for a student, its teacher and the model that it was trained from, whose channels mean the same. */
function kindOf({ model: { architecture, channels, layers, patchSize, features } }: Side): string {
  return [architecture, channels, layers, patchSize, features].join(' ');
}
