import type { EachRequest, EncodeAnswer, VisualEncoder } from '../../src/encoding/request.ts';
import { ServiceError } from '../../src/errors/service-error.ts';
import type { ImageOutcome } from '../../src/tokens/formats/image-outcome.ts';

/** encodeEach() for a stub whose encode() answers one image. */
export function encodeEachBy(
  encoder: Pick<VisualEncoder, 'encode'>,
  { images, ...request }: EachRequest,
): Promise<ImageOutcome<EncodeAnswer>>[] {
  return images.map(async (image, index): Promise<ImageOutcome<EncodeAnswer>> => {
    try {
      return {
        kind: 'encoded',
        index,
        answer: await encoder.encode({ images: [image], stacked: false, ...request }),
      };
    } catch (thrown) {
      return { kind: 'failed', index, error: ServiceError.from(thrown) };
    }
  });
}
