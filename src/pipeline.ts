import { abortFailure } from './abort.ts';
import type { Admission, ViewsPermit } from './admission.ts';
import { ServiceError } from './errors.ts';
import type { Raster } from './image/raster.ts';
import type { ViewPool } from './image/view-pool.ts';
import type { Batcher } from './inference/batcher.ts';
import type { ServedModel } from './inference/served-model.ts';
import type { Model } from './model/model.ts';
import { selectModel } from './model/models.ts';
import { planEncode } from './recipes/encode.ts';
import type { EncodeAnswer, EncodeOptions, EncodeRequest, ImageInput, StageTimings } from './request.ts';
import type { Semaphore } from './semaphore.ts';
import type { TokenPool } from './tokens/token-pool.ts';

/** The parts that a request passes through. */
export interface PipelineParts {
  /** The default first. */
  readonly served: readonly Pick<ServedModel, 'model' | 'batcher'>[];
  readonly admission: Admission;
  /** Bounds the images that are held as rasters. */
  readonly rasters: Semaphore;
  readonly decode: (image: ImageInput, exif: EncodeOptions['exif'], signal: AbortSignal) => Promise<Raster>;
  readonly viewPool: ViewPool;
  readonly tokenPool: TokenPool;
  readonly now: () => number;
}

interface EncodedImage {
  readonly width: number;
  readonly height: number;
  readonly tokens: Uint8Array<ArrayBuffer>;
  readonly timings: StageTimings;
}

/** A request's way, from images to tokens. Every rejection is a ServiceError. */
export async function encodeImages(parts: PipelineParts, request: EncodeRequest): Promise<EncodeAnswer> {
  const { images, options, stacked, signal } = request;
  const { model, batcher } = selectModel(parts.served, options);
  const permit = parts.admission.admit(images.length);
  try {
    const encoded = await allOrNone(images, signal, (image, all) =>
      encodeImage(parts, model, batcher, permit, image, options, all),
    );
    const [first] = encoded;
    if (first === undefined) throw new ServiceError('invalid_argument', 'The request has no image.');
    const { grid, channels } = model;
    const one = [grid.width * grid.height, channels];
    const shape = stacked ? [encoded.length, ...one] : one;
    return {
      tensor: { shape, dtype: options.dtype, parts: encoded.map(({ tokens }) => tokens) },
      metadata: {
        model: { name: model.name, digest: model.digest, trained: model.trained },
        features: model.features,
        precision: model.precision,
        dtype: options.dtype,
        shape,
        grid,
        images: encoded.map(({ width, height }) => ({ width, height })),
      },
      timings: slowest(encoded.map(({ timings }) => timings)),
    };
  } catch (thrown) {
    throw failureOf(thrown, signal);
  } finally {
    permit.release();
  }
}

async function encodeImage(
  parts: PipelineParts,
  model: Model,
  batcher: Batcher,
  permit: ViewsPermit,
  image: ImageInput,
  options: EncodeOptions,
  signal: AbortSignal,
): Promise<EncodedImage> {
  const { now } = parts;
  const { width, height, views, decodeMs, viewsMs } = await parts.rasters.run(signal, async () => {
    const start = now();
    const raster = await parts.decode(image, options.exif, signal);
    const decoded = now();
    const size = { width: raster.width, height: raster.height };
    const cut = await parts.viewPool.cut(raster, planEncode(size, model), signal);
    return { ...size, views: cut, decodeMs: decoded - start, viewsMs: now() - decoded };
  });
  const graphDtype = options.dtype === 'float16' ? 'float16' : 'float32';
  const [view] = await batcher.encode(permit, views, graphDtype, signal);
  if (view === undefined) throw new Error('an Encode plan has one view');
  const tokens = options.dtype === 'bfloat16' ? await parts.tokenPool.bfloat16(view.tokens) : view.tokens;
  return {
    width,
    height,
    tokens,
    timings: { decodeMs, viewsMs, queueMs: view.queueMs, engineMs: view.engineMs },
  };
}

/**
 * Runs `work` on every image at once; when one fails the others are stopped and its error, naming the image when
 * there are several, is the request's.
 */
async function allOrNone<T>(
  images: readonly ImageInput[],
  signal: AbortSignal,
  work: (image: ImageInput, signal: AbortSignal) => Promise<T>,
): Promise<T[]> {
  const others = new AbortController();
  const all = AbortSignal.any([signal, others.signal]);
  return await Promise.all(
    images.map(async (image, index) => {
      try {
        return await work(image, all);
      } catch (thrown) {
        const error = failureOf(thrown, signal);
        others.abort(error);
        throw images.length === 1 ? error : naming(error, index);
      }
    }),
  );
}

function naming(error: ServiceError, index: number): ServiceError {
  return new ServiceError(error.code, `images[${index}]: ${error.message}`, {
    cause: error.cause,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}

/** What the caller's own leaving or deadline brought about is told as that. */
function failureOf(thrown: unknown, signal: AbortSignal): ServiceError {
  if (thrown instanceof ServiceError || !signal.aborted) return ServiceError.from(thrown);
  return abortFailure(signal);
}

function slowest(timings: readonly StageTimings[]): StageTimings {
  const most = (stage: keyof StageTimings) => Math.max(...timings.map((timing) => timing[stage]));
  return {
    decodeMs: most('decodeMs'),
    viewsMs: most('viewsMs'),
    queueMs: most('queueMs'),
    engineMs: most('engineMs'),
  };
}
