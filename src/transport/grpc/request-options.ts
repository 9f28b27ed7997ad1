import { parseOptions } from '../request-options.ts';
import type { EncodeOptions } from '../../encoding/request.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import {
  type AnyResOptionsMessage,
  assemblyNumbers,
  channelOrderNumbers,
  dtypeNumbers,
  exifNumbers,
  featureNumbers,
  fusionNumbers,
  type RequestOptionsMessage,
  resampleNumbers,
  type TeacherOptionsMessage,
  windowsNumbers,
} from './messages.ts';

/** What a request asks, validated but for what only the model decides. */
export interface AskedOptions {
  readonly recipe: RecipeOptions;
  readonly options: EncodeOptions;
}

/** Options of an Encode. This and the two below throw `invalid_argument` for what `parseOptions` refuses. */
export function encodeOptionsOf(common: RequestOptionsMessage | null): AskedOptions {
  return parseOptions('encode', commonRecord(common));
}

/** Options of a TeacherEncode. */
export function teacherOptionsOf(
  common: RequestOptionsMessage | null,
  teacher: TeacherOptionsMessage | null,
): AskedOptions {
  if (teacher === null) return parseOptions('teacher', commonRecord(common));
  const { scales, weights, grid } = teacher;
  const { recipe, options } = parseOptions('teacher', {
    ...commonRecord(common),
    scales: scales.length === 0 ? undefined : scales.join(','),
    fusion: wireName(fusionNumbers, teacher.fusion),
    windows: wireName(windowsNumbers, teacher.windows),
    channel_order: wireName(channelOrderNumbers, teacher.channelOrder),
    grid: grid === null ? undefined : `${grid.width}x${grid.height}`,
  });
  // Not every double has a form that the parser takes (1e-7 has none); the plan checks them.
  if (recipe.recipe !== 'teacher' || weights.length === 0) return { recipe, options };
  return { recipe: { ...recipe, weights }, options };
}

/** Options of an AnyResEncode. */
export function anyresOptionsOf(
  common: RequestOptionsMessage | null,
  anyres: AnyResOptionsMessage | null,
): AskedOptions {
  if (anyres === null) return parseOptions('anyres', commonRecord(common));
  const { maxGrid, maxTiles } = anyres;
  return parseOptions('anyres', {
    ...commonRecord(common),
    max_grid: maxGrid === null ? undefined : `${maxGrid.columns}x${maxGrid.rows}`,
    max_tiles: maxTiles === undefined ? undefined : String(maxTiles),
    assembly: wireName(assemblyNumbers, anyres.assembly),
    resample: wireName(resampleNumbers, anyres.resample),
  });
}

function commonRecord(options: RequestOptionsMessage | null): Record<string, string | undefined> {
  if (options === null) return {};
  return {
    model: options.model === '' ? undefined : options.model,
    expect_digest: options.expectDigest === '' ? undefined : options.expectDigest,
    expect_features: wireName(featureNumbers, options.expectFeatures),
    dtype: wireName(dtypeNumbers, options.dtype),
    exif: wireName(exifNumbers, options.exif),
  };
}

/** An enum's number as the parser's name for it; a number that is not known goes on as it is, to be refused there. */
function wireName(numbers: Readonly<Record<string, number>>, number: number): string | undefined {
  if (number === 0) return undefined;
  return Object.keys(numbers).find((name) => numbers[name] === number) ?? String(number);
}
