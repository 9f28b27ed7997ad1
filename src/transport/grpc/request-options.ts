import { ServiceError } from '../../errors/service-error.ts';
import { type AskedOptions, parseOptions } from '../request-options.ts';
import { enumValue } from './enum-name.ts';
import type {
  AnyResOptions__Output,
  EncodeOptions__Output,
  PlanRequest__Output,
  RequestOptions__Output,
  TeacherOptions__Output,
} from './generated/encoder.ts';

/** Options of an Encode. This function and the three below throw `invalid_argument` as `parseOptions` does. */
export function encodeOptionsOf(
  common: RequestOptions__Output | null,
  encode: EncodeOptions__Output | null,
): AskedOptions {
  return parseOptions('encode', {
    ...commonRecord(common),
    ...(encode?.classToken ? { class_token: 'true' } : {}),
  });
}

/** Options of a TeacherEncode. */
export function teacherOptionsOf(
  common: RequestOptions__Output | null,
  teacher: TeacherOptions__Output | null,
): AskedOptions {
  if (teacher === null) return parseOptions('teacher', commonRecord(common));
  const { scales, weights, grid } = teacher;
  const { recipe, options } = parseOptions('teacher', {
    ...commonRecord(common),
    scales: scales.length === 0 ? undefined : scales.join(','),
    fusion: enumValue('FUSION', teacher.fusion),
    windows: enumValue('WINDOWS', teacher.windows),
    channel_order: enumValue('CHANNEL_ORDER', teacher.channelOrder),
    grid: grid === null ? undefined : `${grid.width}x${grid.height}`,
  });
  // The parser does not accept every double as text (1e-100, for one). The plan checks the weights.
  if (recipe.recipe !== 'teacher' || weights.length === 0) return { recipe, options };
  return { recipe: { ...recipe, weights }, options };
}

/** Options of an AnyResEncode. */
export function anyresOptionsOf(
  common: RequestOptions__Output | null,
  anyres: AnyResOptions__Output | null,
): AskedOptions {
  if (anyres === null) return parseOptions('anyres', commonRecord(common));
  const { maxGrid, maxTiles } = anyres;
  return parseOptions('anyres', {
    ...commonRecord(common),
    max_grid: maxGrid === null ? undefined : `${maxGrid.columns}x${maxGrid.rows}`,
    max_tiles: maxTiles === undefined ? undefined : String(maxTiles),
    assembly: enumValue('ASSEMBLY', anyres.assembly),
    resample: enumValue('RESAMPLE', anyres.resample),
  });
}

/** Options of a Plan. Throws `invalid_argument` if it names no recipe. */
export function planOptionsOf({
  recipe,
  options,
  encode,
  teacher,
  anyres,
}: PlanRequest__Output): AskedOptions {
  if (recipe === undefined)
    throw new ServiceError('invalid_argument', 'The request has no recipe: set encode, teacher or anyres.');
  switch (recipe) {
    case 'encode':
      return encodeOptionsOf(options, encode ?? null);
    case 'teacher':
      return teacherOptionsOf(options, teacher ?? null);
    case 'anyres':
      return anyresOptionsOf(options, anyres ?? null);
  }
}

function commonRecord(options: RequestOptions__Output | null): Record<string, string | undefined> {
  if (options === null) return {};
  return {
    model: options.model === '' ? undefined : options.model,
    expect_digest: options.expectDigest === '' ? undefined : options.expectDigest,
    output: enumValue('OUTPUT', options.output),
    expect_projector_digest: options.expectProjectorDigest === '' ? undefined : options.expectProjectorDigest,
    features: options.features.length === 0 ? undefined : options.features.join(','),
    expect_features: enumValue('FEATURE_LAYER', options.expectFeatures),
    dtype: enumValue('DTYPE', options.dtype),
    exif: enumValue('EXIF', options.exif),
  };
}
