import { dirname } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';
import { sharp } from '../../image/sharp.ts';
import { makeFolder } from '../../model/import/publish-folder.ts';
import { TokenColours } from '../../tokens/colours/token-colours.ts';
import { readInput } from '../inputs/input-files.ts';
import type { ImageEncoder } from './image-encoder.ts';
import type { Inputs } from '../inputs/find-inputs.ts';
import { tokenMap } from './token-map.ts';
import { writeWhole } from '../write-whole.ts';

/** The least longer side of a picture, in pixels. A token is a square of pixels. */
const leastSide = 512;

/** The tokens of an answer, which it copies and gives back. */
function mapOf(encoded: Awaited<ReturnType<ImageEncoder['encode']>>): ReturnType<typeof tokenMap> {
  try {
    return tokenMap(encoded);
  } finally {
    encoded.done();
  }
}

/**
 * Encodes the only input with an encoder of raw float32 tokens, and writes them as colours: a PNG file, the first three
 * principal components as red, green and blue, as `compare` draws them. Resolves with a sentence about it.
 */
export async function writePreview(
  png: string,
  { found, failures }: Inputs,
  encoder: ImageEncoder,
  signal: AbortSignal,
): Promise<string> {
  const [input, ...others] = found;
  const [failure] = failures;
  if (failure !== undefined)
    throw new ServiceError('invalid_argument', `${failure.file}: ${failure.problem}`);
  if (input?.kind !== 'file' || others.length > 0) {
    throw new ServiceError('invalid_argument', '--preview draws one image: give one file.');
  }
  const encoded = await encoder.encode(await readInput(input.path), signal);
  const { tokens, grid } = mapOf(encoded);
  const colours = TokenColours.fit([tokens]);
  const { width, height } = grid;
  const scale = Math.ceil(leastSide / Math.max(width, height));
  const picture = await sharp(colours.paint(tokens), { raw: { width, height, channels: 3 } })
    .resize(width * scale, height * scale, { kernel: 'nearest' })
    .png()
    .toBuffer();
  await makeFolder(dirname(png));
  await writeWhole(png, [picture]);
  const explained = colours.components.reduce((sum, component) => sum + component.explained, 0);
  return `${png}: ${width} x ${height} tokens of ${tokens.channels} channels; the colours are ${(100 * explained).toFixed(0)} % of their variance`;
}
