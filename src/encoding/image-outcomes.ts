import { AnswerSum } from './answer-sum.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { EachRequest, EncodeAnswer, VisualEncoder } from './request.ts';
import type { ImageOutcome } from '../tokens/formats/image-outcome.ts';

/** Encodes each image by itself, all at once: one that fails stops no other. No outcome rejects. */
export function encodeEach(
  encoder: Pick<VisualEncoder, 'encode'>,
  { images, ...asked }: EachRequest,
): Promise<ImageOutcome<EncodeAnswer>>[] {
  const sum = new AnswerSum();
  return images.map(async (image, index): Promise<ImageOutcome<EncodeAnswer>> => {
    try {
      const trace = images.length > 1 ? asked.trace?.ofImage(index) : asked.trace;
      const answer = await encoder.encode({ images: [image], stacked: false, ...asked, trace, answer: sum });
      return { kind: 'encoded', index, answer };
    } catch (thrown) {
      return { kind: 'failed', index, error: ServiceError.from(thrown) };
    }
  });
}

/** The outcomes in the order in which they come; each is let go of once it was taken. */
export async function* asTheyCome(
  outcomes: readonly Promise<ImageOutcome<EncodeAnswer>>[],
): AsyncGenerator<ImageOutcome<EncodeAnswer>, void, void> {
  const waiting = new Map(outcomes.entries());
  while (waiting.size > 0) {
    const outcome = await Promise.race(waiting.values());
    waiting.delete(outcome.index);
    yield outcome;
  }
}
