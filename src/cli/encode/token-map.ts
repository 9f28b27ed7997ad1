import { ServiceError } from '../../errors/service-error.ts';
import { JsonObject } from '../../model/json-object.ts';
import type { Size } from '../../recipes/plan.ts';
import type { TokenSet } from '../../tokens/colours/token-set.ts';
import type { EncodedImage } from './token-sink.ts';

/** The tokens of an answer that lie on a grid, row by row. */
export interface TokenMap {
  readonly tokens: TokenSet;
  readonly grid: Size;
}

const side = { min: 0, max: 2 ** 20 };

/**
 * The map in an answer of float32 values: the whole answer of Encode and TeacherEncode without a class token, and of AnyRes
 * the tiles' map, or the base view's if nothing is left of that. Throws `invalid_argument` if the answer has none.
 */
export function tokenMap({ buffers, shape, metadata }: EncodedImage): TokenMap {
  const [count = 0, channels = 1] = shape;
  const fields = JsonObject.from(JSON.parse(metadata), 'the metadata');
  const { first, rowTokens, grid } = placesOf(fields, count);
  if (shape.length !== 2 || first < 0 || grid.width * grid.height === 0) {
    throw new ServiceError(
      'invalid_argument',
      `An answer of shape ${shape.join(' x ')} is no map of tokens, so it cannot be drawn.`,
    );
  }
  const bytes = Buffer.concat([...buffers]);
  const data = new Float32Array(grid.width * grid.height * channels);
  const target = new Uint8Array(data.buffer);
  const rowBytes = grid.width * channels * Float32Array.BYTES_PER_ELEMENT;
  for (let row = 0; row < grid.height; row += 1) {
    const start = (first + row * rowTokens) * channels * Float32Array.BYTES_PER_ELEMENT;
    target.set(bytes.subarray(start, start + rowBytes), row * rowBytes);
  }
  return { tokens: { data, count: grid.width * grid.height, channels }, grid };
}

/** Where the map's tokens are: the first of them, and how many there are from one row to the next. */
function placesOf(fields: JsonObject, count: number) {
  if (fields.has('anyres')) {
    const anyres = fields.object('anyres');
    const spatial = sizeOf(anyres.object('spatial'));
    // A newline follows each row of the map that has them.
    const rowTokens = spatial.width + (anyres.integer('newlines', side) > 0 ? 1 : 0);
    if (spatial.width * spatial.height > 0) {
      return { first: anyres.integer('base_tokens', side), rowTokens, grid: spatial };
    }
    const grid = sizeOf(fields.object('grid'));
    return { first: 0, rowTokens: grid.width, grid };
  }
  const grid = sizeOf(fields.object('grid'));
  return { first: count - grid.width * grid.height, rowTokens: grid.width, grid };
}

function sizeOf(fields: JsonObject): Size {
  return { width: fields.integer('width', side), height: fields.integer('height', side) };
}
