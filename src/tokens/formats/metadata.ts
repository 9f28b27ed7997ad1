import type { AnswerMetadata } from '../answer-metadata.ts';
import type { AnyresGeometry, Size, TeacherMakeup } from '../../recipes/plan.ts';

/** The most bytes of {@link metadataHeader}. Servers and proxies commonly refuse headers of 4 to 8 KB in all. */
export const metadataHeaderBytes = 2047;

/** Answer metadata as compact JSON with snake_case keys, in printable ASCII whatever the model's name. */
export function metadataJson(metadata: AnswerMetadata): string {
  return asciiJson(metadataFields(metadata));
}

/**
 * The same for a header, at most {@link metadataHeaderBytes} long. Image sizes that do not fit are left out and counted
 * in `images_omitted`.
 */
export function metadataHeader(metadata: AnswerMetadata): string {
  const whole = metadataJson(metadata);
  if (whole.length <= metadataHeaderBytes) return whole;
  const render = (images: readonly Size[]): string => {
    const omitted = metadata.images.length - images.length;
    const fields = metadataFields({ ...metadata, images });
    return asciiJson(omitted === 0 ? fields : { ...fields, images_omitted: omitted });
  };
  let kept = metadata.images;
  let json = render(kept);
  while (json.length > metadataHeaderBytes && kept.length > 0) {
    const excess = Math.ceil((json.length - metadataHeaderBytes) / 40);
    kept = kept.slice(0, Math.max(0, kept.length - excess));
    json = render(kept);
  }
  return json;
}

/** Answer metadata as a plain object with the wire's snake_case names. JSON leaves out what is undefined. */
function metadataFields(metadata: AnswerMetadata): Record<string, unknown> {
  const { model, grid, projector, teacher, anyres } = metadata;
  return {
    model: { name: model.name, digest: model.digest, trained: model.trained },
    recipe: metadata.recipe,
    output: metadata.output,
    features: metadata.features,
    class_token: metadata.classToken,
    projector: projector && { family: projector.family, digest: projector.digest },
    precision: metadata.precision,
    dtype: metadata.dtype,
    shape: metadata.shape,
    grid: { width: grid.width, height: grid.height },
    views: metadata.views,
    teacher: teacher && teacherFields(teacher),
    anyres: anyres && anyresFields(anyres),
    images: metadata.images.map(({ width, height }) => ({ width, height })),
  };
}

function teacherFields({ scales, weights, fusion, windows, models }: TeacherMakeup) {
  return { scales, weights, fusion, windows, models: models.map(({ name, digest }) => ({ name, digest })) };
}

function anyresFields({ tileGrid, baseTokens, unpad, spatial, newlines, resized }: AnyresGeometry) {
  return {
    tile_grid: { columns: tileGrid.columns, rows: tileGrid.rows },
    base_tokens: baseTokens,
    unpad: { x: unpad.x, y: unpad.y, width: unpad.width, height: unpad.height },
    spatial: { width: spatial.width, height: spatial.height },
    newlines,
    resized,
  };
}

/** JSON in printable ASCII. */
export function asciiJson(value: unknown): string {
  const json = JSON.stringify(value);
  if (!/[\u007f-\uffff]/.test(json)) return json;
  return json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
