import { abortFailure, failureOf, type StopSignal } from '../errors/abort.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { SchedulingClass } from '../admission/priority.ts';
import { Slots } from '../admission/slots.ts';
import { WorkerPool, type WorkerPoolOptions } from '../threads/worker-pool.ts';
import type { DecodeOptions } from './decode.ts';
import { toTransferable } from '../threads/transfer.ts';
import type { CutViews, ViewTask } from './view-worker.ts';

export interface ViewPoolOptions {
  /** Threads that decode ordinary JPEGs, let libvips decode others on libuv's threads, and resize; 1 or more. */
  readonly threads: number;
  /** Most images held as pixels at one time, over all threads; 1 or more. */
  readonly images: number;
  readonly maxPixels: number;
  /**
   * Most bytes of pixels held at one time; no limit if absent. A larger image is held alone. A JPEG that is resized while it is
   * decoded counts in full: if it proves irregular, libvips decodes all of it.
   */
  readonly rasterBytes?: number;
  /** Called when a thread dies while idle. The thread is replaced. */
  readonly onThreadError?: WorkerPoolOptions['onThreadError'];
  /** Another worker than view-worker.ts, for tests. */
  readonly worker?: URL;
}

/** An image, its size, and the views to make of it. */
export type ViewSource = Pick<ViewTask, 'image' | 'size' | 'plan'>;

export interface ViewPool {
  /**
   * Decodes the image and makes the plan's views (see cutViews) on a thread; takes ownership of the image. Calls beyond
   * the number of images wait, in the order in which views wait for the engine. `signal` removes a waiting call, and
   * rejects a running one at once while its thread finishes the current step. `schedulingClass` decides its turn; that of
   * {@link defaultTerms} if absent.
   *
   * Rejects as `decode` does, with `invalid_argument` if the image is of another size, with the signal's ServiceError or
   * `cancelled`, with `internal` if the thread failed, and with `unavailable` once the pool closes.
   */
  make(
    source: ViewSource,
    exif: DecodeOptions['exif'],
    signal: StopSignal,
    schedulingClass?: SchedulingClass,
  ): Promise<CutViews>;
  /** Refuses waiting calls, lets running ones finish, and ends the threads. */
  close(): Promise<void>;
}

export function createViewPool(options: ViewPoolOptions): ViewPool {
  return new ThreadViewPool(options);
}

class ThreadViewPool implements ViewPool {
  readonly #pool: WorkerPool;
  readonly #slots: Slots;
  readonly #maxPixels: number;

  constructor({ threads, images, maxPixels, rasterBytes, onThreadError, worker }: ViewPoolOptions) {
    this.#slots = new Slots(images, rasterBytes);
    this.#maxPixels = maxPixels;
    this.#pool = new WorkerPool({
      worker: worker ?? new URL('./view-worker.js', import.meta.url),
      threads,
      // With fewer threads than images, a thread cuts one image while libvips decodes another.
      tasksPerThread: Math.ceil(images / threads),
      onThreadError,
    });
  }

  make(
    source: ViewSource,
    exif: DecodeOptions['exif'],
    signal: StopSignal,
    schedulingClass?: SchedulingClass,
  ): Promise<CutViews> {
    const dropped = new Uint8Array(new SharedArrayBuffer(1));
    const { width, height } = source.size;
    return new Promise((resolve, reject) => {
      const drop = (): void => {
        Atomics.store(dropped, 0, 1);
        reject(abortFailure(signal));
      };
      signal.addEventListener('abort', drop);
      // The slot stays taken until the thread is done, even if the caller has left.
      void this.#slots
        .run(signal, () => this.#onThread(source, exif, dropped), width * height * 3, schedulingClass)
        .then(resolve, (thrown: unknown) => reject(failureOf(thrown, signal)))
        .finally(() => signal.removeEventListener('abort', drop));
    });
  }

  async close(): Promise<void> {
    await this.#slots.close(new ServiceError('unavailable', 'The service is shutting down.'));
    await this.#pool.close();
  }

  async #onThread(
    { image, size, plan }: ViewSource,
    exif: DecodeOptions['exif'],
    dropped: ViewTask['dropped'],
  ): Promise<CutViews> {
    const bytes = await toTransferable(
      image.kind === 'file' ? image.bytes : image.raster.data,
      image.ownsBuffer,
    );
    const task: ViewTask = {
      image:
        image.kind === 'file'
          ? { kind: 'file', bytes }
          : { kind: 'raster', raster: { ...size, data: bytes } },
      decoding: { exif, maxPixels: this.#maxPixels },
      size,
      plan: { canvases: plan.canvases, viewSize: plan.viewSize },
      dropped,
    };
    // The thread notices at its next step: ending it would cost more than the work.
    return await this.#pool.run<CutViews>('default', task, [bytes.buffer]);
  }
}
