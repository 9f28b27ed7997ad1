import type { Logger } from 'pino';
import { defaultTerms } from '../../admission/priority.ts';
import { type EncoderConfig, noTimeoutMs } from '../../encoding/encoder-config.ts';
import type { VisualEncoder } from '../../encoding/request.ts';
import { enginePlaces } from '../../inference/devices.ts';
import { defaultModelName, defaultTeacherName } from '../../model/model.ts';
import { type TokenFormat, tokenFile } from '../../tokens/formats/format.ts';
import { metadataJson } from '../../tokens/formats/metadata.ts';
import type { EncodeSettings } from '../settings/encode.ts';
import { refusedInFlags } from '../settings/flag-words.ts';
import type { RecipeRequest } from '../settings/recipe-flags.ts';
import { type ImageEncoder, usualSize } from './image-encoder.ts';

/** Opens the service's pipeline in this process, without transports. */
export type CreateEncoder = (
  config: EncoderConfig,
  logger: Logger,
) => Promise<{ readonly encoder: Pick<VisualEncoder, 'encode' | 'plan'>; close(): Promise<void> }>;

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
  create: CreateEncoder,
  logger: Logger,
): Promise<ImageEncoder> {
  // A second model is for scales that are one view each.
  const isWhole = recipe.recipe === 'teacher' && recipe.windows === 'whole';
  const unlimited = Number.POSITIVE_INFINITY;
  const opened = await create(
    {
      ...settings,
      models: isWhole ? settings.models : settings.models.slice(0, 1),
      // As the service chooses among them.
      embedded: [recipe.recipe === 'teacher' ? defaultTeacherName : defaultModelName],
      // How many images are under way is bounded below.
      maxQueuedViews: unlimited,
      maxAnswerBytes: unlimited,
      maxUnreadBytes: unlimited,
      cacheBytes: 0,
      shareCache: false,
      requestTimeoutMs: noTimeoutMs,
    },
    logger,
  );
  const { encoder } = opened;
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
      close: async () => opened.close(),
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}
