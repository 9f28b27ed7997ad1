// A thread of the view pool.
import { ServiceError } from '../errors/service-error.ts';
import type { Plan, Size } from '../recipes/plan.ts';
import { type MovedOutcome, taskOutcome } from '../threads/task-outcome.ts';
import { decode, type DecodeOptions } from './decode.ts';
import type { ImageInput, Raster } from './raster.ts';
import { cutViews } from './cut-views.ts';

/** What the pool sends to a thread. */
export interface ViewTask {
  readonly image: ImageInput;
  readonly decoding: DecodeOptions;
  /** The size for which the plan was made. */
  readonly size: Size;
  readonly plan: Pick<Plan, 'canvases' | 'viewSize'>;
  /** Shared with the sender, which sets it to 1 once the views are no longer wanted. */
  readonly dropped: Uint8Array<SharedArrayBuffer>;
}

export interface CutViews {
  /** `viewSize * viewSize * 3` bytes each, in the plan's order, each in its own buffer. */
  readonly views: readonly Uint8Array<ArrayBuffer>[];
  readonly decodeMs: number;
  readonly cutMs: number;
}

export default function makeViews(task: ViewTask): Promise<MovedOutcome> {
  return taskOutcome(
    () => decodeAndCut(task),
    ({ views }) => views.map(({ buffer }) => buffer),
  );
}

async function decodeAndCut({ image, decoding, size, plan, dropped }: ViewTask): Promise<CutViews> {
  const startMs = performance.now();
  const raster = await rasterOf(image, decoding, dropped);
  if (raster.width !== size.width || raster.height !== size.height) {
    throw new ServiceError(
      'invalid_argument',
      'The size of the decoded image differs from the one in its header.',
    );
  }
  requireWanted(dropped);
  const decodedMs = performance.now();
  const views = cutViews(raster, plan.canvases, plan.viewSize);
  raster.release?.();
  return { views, decodeMs: decodedMs - startMs, cutMs: performance.now() - decodedMs };
}

async function rasterOf(
  image: ImageInput,
  decoding: DecodeOptions,
  dropped: ViewTask['dropped'],
): Promise<Raster> {
  requireWanted(dropped);
  return image.kind === 'raster' ? image.raster : await decode(image.bytes, decoding);
}

function requireWanted(dropped: ViewTask['dropped']): void {
  if (Atomics.load(dropped, 0) === 1)
    throw new ServiceError('cancelled', 'The request was cancelled before its views were made.');
}
