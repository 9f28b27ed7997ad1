import type { Size } from '../../recipes/plan.ts';
import { pickEvenly } from '../../tokens/colours/pick-evenly.ts';
import type { TokenSet } from '../../tokens/colours/token-set.ts';
import type { Side } from './compared-models.ts';
import { encoderConfig } from './comparing-encoder.ts';
import { attempt, encodeFile, type Run } from './comparison-run.ts';
import { resizeTokens } from './resize-tokens.ts';

/** What to encode, and what to keep of it. */
export interface TokenWish {
  readonly files: readonly string[];
  /** The grid of all encoders. */
  readonly grid: Size;
  /** For each file, the places on that grid whose tokens are kept. */
  readonly places: readonly Int32Array[];
  /** So many of the first files keep all tokens, at the encoder's own grid. */
  readonly pictured: number;
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

/** Encodes the files with one encoder, but for those whose index is in `failed`; adds those that fail now. */
export async function encodeWith(
  run: Run,
  side: Side,
  wish: TokenWish,
  failed: Set<number>,
  onImage: () => void,
): Promise<EncoderTokens> {
  const picked = new Map<number, Float32Array>();
  const pictured = new Map<number, TokenSet>();
  const sizes = new Map<number, Size>();
  const config = encoderConfig([{ name: side.label, folder: side.model.folder }], run.settings);
  const opened = await run.parts.createEncoder(config, run.parts.logger, (batch) => run.times.add(batch));
  try {
    for (const [index, file] of wish.files.entries()) {
      onImage();
      if (failed.has(index)) continue;
      const isEncoded = await attempt(run, file, async () => {
        const { values, size } = await encodeFile(run, opened.encoder, side, file);
        const { grid, channels } = side.model;
        const resized = resizeTokens(values, channels, grid, wish.grid);
        picked.set(index, pickedTokens(resized, channels, wish.places[index]!));
        if (index < wish.pictured)
          pictured.set(index, { data: values, count: values.length / channels, channels });
        sizes.set(index, size);
      });
      if (!isEncoded) failed.add(index);
    }
  } finally {
    await opened.close();
  }
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
