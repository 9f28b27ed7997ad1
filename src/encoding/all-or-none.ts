import { eitherSignal, failureOf } from '../errors/abort.ts';
import { FlightRefused } from './single-flight.ts';
import type { ServiceError } from '../errors/service-error.ts';

/**
 * Runs `work` on every image at once; when one fails the others are stopped and its error, naming the image when
 * there are several, is the request's.
 */
export async function allOrNone<Image, T>(
  images: readonly Image[],
  signal: AbortSignal,
  work: (image: Image, signal: AbortSignal) => Promise<T>,
): Promise<T[]> {
  const [only] = images;
  if (only !== undefined && images.length === 1) return [await work(only, signal)];
  return await together([...images.entries()], signal, async ([index, image], all) => {
    try {
      return await work(image, all);
    } catch (thrown) {
      // What the request as a whole was refused for is no image's.
      throw thrown instanceof FlightRefused ? thrown : namingImage(index, failureOf(thrown, signal));
    }
  });
}

/**
 * Runs `work` on all at once; when one fails the others are stopped. Rejects with the first failure, but only when
 * all have ended: what they hold is free again when the caller frees what it holds for them.
 */
export async function together<Item, T>(
  items: readonly Item[],
  signal: AbortSignal,
  work: (item: Item, signal: AbortSignal) => Promise<T>,
): Promise<T[]> {
  const others = new AbortController();
  const all = eitherSignal(signal, others.signal);
  const failures: unknown[] = [];
  const outcomes = await Promise.allSettled(
    items.map((item) =>
      work(item, all).catch((thrown: unknown) => {
        failures.push(thrown);
        others.abort(thrown);
        throw thrown;
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}

/** The failure of one image of several, as that of the request. */
export function namingImage(index: number, error: ServiceError): ServiceError {
  return error.saying(`images[${index}]: ${error.message}`);
}
