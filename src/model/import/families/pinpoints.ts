import type { Size } from '../../../recipes/plan.ts';
import type { JsonObject } from '../../json-object.ts';

const most = 256;

/**
 * The pairs of `image_grid_pinpoints`, in pixels: [height, width] in transformers' configurations, [width, height] in
 * LLaVA's own.
 */
export function readPinpoints(
  config: JsonObject,
  order: 'height first' | 'width first',
  fallback?: readonly (readonly [number, number])[],
): readonly Size[] {
  const key = 'image_grid_pinpoints';
  const pairs: unknown = config.get(key) ?? fallback;
  const isList = Array.isArray(pairs) && pairs.length > 0 && pairs.length <= most;
  if (!isList || !pairs.every(isPair)) throw config.fault(key, `a list of 1 to ${most} pairs of pixels`);
  return pairs.map(([first, second]) =>
    order === 'height first' ? { width: second, height: first } : { width: first, height: second },
  );
}

function isPair(value: unknown): value is readonly [number, number] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((side) => Number.isSafeInteger(side) && (side as number) >= 1 && (side as number) <= 65_536)
  );
}

/** The N of `anyres_max_N`; 0, for no limit, where there is none. */
export function readMaxTiles(config: JsonObject, key: string, fallback: string): number {
  const text = config.has(key) ? config.string(key) : fallback;
  const [, tiles = '0'] = /^anyres(?:_max_(\d{1,3}))?$/.exec(text) ?? [undefined, ''];
  if (tiles === '') throw config.fault(key, 'anyres or anyres_max_N');
  return Number(tiles);
}
