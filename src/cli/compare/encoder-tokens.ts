import type { Size } from '../../recipes/plan.ts';
import { pickEvenly } from '../../tokens/colours/pick-evenly.ts';
import type { TokenSet } from '../../tokens/colours/token-set.ts';
import type { Side } from './side.ts';
import { withEncoder } from './comparing-encoder.ts';
import { attempt, encodeFile, type Run } from './comparison-run.ts';
import { resizeTokens } from './resize-tokens.ts';

/** What to encode, and what to keep of it. */
export interface TokenWish {
  readonly files: readonly string[];
  /** The grid of all encoders. */
  readonly grid: Size;
  /** For each file, the places on that grid whose tokens are kept. */
  readonly places: readonly Int32Array[];
  /** Of so many files all tokens are kept, at the encoder's own grid: the first ones that the first encoder encodes. */
  readonly mostPictured: number;
}

/** What is kept of one encoder's tokens, by the index of the file. */
export interface EncoderTokens {
  readonly side: Side;
  readonly picked: ReadonlyMap<number, Float32Array>;
  readonly pictured: ReadonlyMap<number, TokenSet>;
  readonly sizes: ReadonlyMap<number, Size>;
}

/** At most `maxTokens` places, spread evenly over the grids of all files. */
export function pickPlaces(files: number, grid: Size, maxTokens: number): Int32Array[] {
  const perFile = grid.width * grid.height;
  const picked = pickEvenly(files * perFile, maxTokens);
  return Array.from({ length: files }, (_, file) =>
    picked.filter((place) => Math.floor(place / perFile) === file).map((place) => place % perFile),
  );
}

/**
 * Encodes the files with one encoder, but for those whose index is in `failed`; adds those that fail now. `first` is what was
 * kept of the first encoder, unless this is the first.
 */
export async function encodeWith(
  run: Run,
  side: Side,
  wish: TokenWish,
  failed: Set<number>,
  onImage: () => void,
  first?: EncoderTokens,
): Promise<EncoderTokens> {
  const picked = new Map<number, Float32Array>();
  const pictured = new Map<number, TokenSet>();
  const sizes = new Map<number, Size>();
  await withEncoder(run, [{ name: side.label, folder: side.model.folder }], async (encoder) => {
    for (const [index, file] of wish.files.entries()) {
      onImage();
      if (failed.has(index)) continue;
      const isEncoded = await attempt(run, file, async () => {
        const { values, size } = await encodeFile(run, encoder, side, file);
        const { grid, channels } = side.model;
        const resized = resizeTokens(values, channels, grid, wish.grid);
        picked.set(index, pickedTokens(resized, channels, wish.places[index]!));
        const isPictured = first?.pictured.has(index) ?? pictured.size < wish.mostPictured;
        if (isPictured) pictured.set(index, { data: values, count: values.length / channels, channels });
        sizes.set(index, size);
      });
      if (!isEncoded) failed.add(index);
    }
  });
  return { side, picked, pictured, sizes };
}

/** The tokens that an encoder gives at the places of these files, one after another. */
export function joinedTokens({ side, picked }: EncoderTokens, files: readonly number[]): TokenSet {
  const { channels } = side.model;
  const parts = files.map((file) => picked.get(file)!);
  const data = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    data.set(part, offset);
    offset += part.length;
  }
  return { data, count: data.length / channels, channels };
}

function pickedTokens(tokens: Float32Array, channels: number, places: Int32Array): Float32Array {
  const kept = new Float32Array(places.length * channels);
  for (const [index, place] of places.entries()) {
    kept.set(tokens.subarray(place * channels, (place + 1) * channels), index * channels);
  }
  return kept;
}
