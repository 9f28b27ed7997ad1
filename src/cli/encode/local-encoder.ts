import type { Logger } from 'pino';
import { defaultTerms } from '../../admission/priority.ts';
import { enginePlaces } from '../../inference/devices.ts';
import { defaultModelName, defaultTeacherName } from '../../model/model.ts';
import { type TokenFormat, tokenFile } from '../../tokens/formats/format.ts';
import { metadataJson } from '../../tokens/formats/metadata.ts';
import { commandLimits, type CreateEncoder } from '../command-encoder.ts';
import type { EncodeSettings } from '../settings/encode.ts';
import { refusedInFlags } from '../settings/flag-words.ts';
import type { RecipeRequest } from '../settings/recipe-flags.ts';
import { type ImageEncoder, usualSize } from './image-encoder.ts';

/** The largest batch that is learned. */
const largestBatch = 32;
const fewestImages = 8;
// Images are hashed for the manifest alone.
const terms = { ...defaultTerms, noStore: true };

/** Loads the model and starts its engines. Rejects as they do, and for options that do not fit the model. */
export async function openLocalEncoder(
  settings: EncodeSettings,
  { recipe, options }: RecipeRequest,
  format: TokenFormat,
  create: CreateEncoder<'plan' | 'encode'>,
  logger: Logger,
): Promise<ImageEncoder> {
  // A second model is for scales that are one view each.
  const isWhole = recipe.recipe === 'teacher' && recipe.windows === 'whole';
  const encoder = await create(
    {
      ...settings,
      ...commandLimits,
      models: isWhole ? settings.models : settings.models.slice(0, 1),
      // As the service chooses among them.
      embedded: [recipe.recipe === 'teacher' ? defaultTeacherName : defaultModelName],
    },
    logger,
  );
  try {
    const { metadata } = refusedInFlags(() => encoder.plan({ size: usualSize, recipe, options }));
    const { model, projector, teacher, views } = metadata;
    // Twice what runs: one batch is prepared while another runs.
    const viewsAtOnce =
      2 * (settings.maxBatch || largestBatch) * enginePlaces(settings.device, settings.engines).length;
    return {
      provenance: {
        model: { name: model.name, digest: model.digest },
        projector: projector?.digest,
        scale_models: isWhole ? teacher?.models.map(({ digest }) => digest) : undefined,
      },
      imagesAtOnce: Math.max(fewestImages, Math.ceil(viewsAtOnce / views)),
      async encode(bytes, signal) {
        const images = [{ kind: 'file', bytes }] as const;
        const answer = await encoder.encode({ images, stacked: false, recipe, options, terms, signal });
        const { body } = tokenFile(format, answer);
        return {
          buffers: body.kind === 'buffers' ? body.buffers : body.slices,
          shape: answer.tensor.shape,
          metadata: metadataJson(answer.metadata),
          done: answer.release,
        };
      },
      close: async () => encoder.close(),
    };
  } catch (error) {
    await encoder.close();
    throw error;
  }
}
