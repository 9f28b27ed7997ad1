import { ServiceError } from '../errors/service-error.ts';

/** An image of a request, and the bytes of its tokens. */
export type ImageBytes = readonly [image: object, sizeBytes: number];

/** The bytes of one answer, by its images. Images that are encoded each by itself for the same answer share it. */
export class AnswerSum {
  readonly #byImage = new Map<object, number>();

  /**
   * Counts images, each once. Throws `too_large`, and counts none, when the answer would have more than `maxBytes`.
   */
  add(images: readonly ImageBytes[], maxBytes: number): void {
    const all = new Map([...this.#byImage, ...images]);
    const sizeBytes = [...all.values()].reduce((sum, bytes) => sum + bytes, 0);
    refuseLargeAnswer(sizeBytes, maxBytes);
    for (const [image, bytes] of images) this.#byImage.set(image, bytes);
  }
}

/** Throws `too_large` for an answer of so many bytes. */
export function refuseLargeAnswer(sizeBytes: number, maxBytes: number): void {
  if (sizeBytes <= maxBytes) return;
  const [size, limit] = [sizeBytes, maxBytes].map((value) => value.toLocaleString('en-US'));
  throw new ServiceError('too_large', `The answer would have ${size} bytes; at most ${limit} are answered.`);
}
