// A thread of the view pool.
import { ServiceError } from '../errors/service-error.ts';
import type { Plan, Size } from '../recipes/plan.ts';
import { type MovedOutcome, taskOutcome } from '../threads/task-outcome.ts';
import { decodeInto, type DecodeOptions } from './decode.ts';
import type { ImageInput, Raster, RowSource } from './raster.ts';
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
  requireWanted(dropped);
  const startMs = performance.now();
  let cutMs = 0;
  const cut = (pixels: Raster | RowSource): Uint8Array<ArrayBuffer>[] => {
    if (pixels.width !== size.width || pixels.height !== size.height) {
      throw new ServiceError(
        'invalid_argument',
        'The size of the decoded image differs from the one in its header.',
      );
    }
    const cutAtMs = performance.now();
    let readMs = 0;
    const addReadMs = (ms: number): void => {
      readMs += ms;
      requireWanted(dropped);
    };
    requireWanted(dropped);
    const timed = 'data' in pixels ? pixels : timedRows(pixels, addReadMs);
    const views = cutViews(timed, plan.canvases, plan.viewSize);
    cutMs = performance.now() - cutAtMs - readMs;
    return views;
  };
  const views =
    image.kind === 'raster'
      ? cut(image.raster)
      : await decodeInto(image.bytes, decoding, plan.canvases.length === 1, cut);
  return { views, decodeMs: performance.now() - startMs - cutMs, cutMs };
}

/** Reports the time of each read, which counts as decoding. */
function timedRows(rows: RowSource, onRead: (ms: number) => void): RowSource {
  return {
    ...rows,
    readRows: (from, to, target) => {
      const startMs = performance.now();
      rows.readRows(from, to, target);
      onRead(performance.now() - startMs);
    },
  };
}

function requireWanted(dropped: ViewTask['dropped']): void {
  if (Atomics.load(dropped, 0) === 1)
    throw new ServiceError('cancelled', 'The request was cancelled before its views were made.');
}
