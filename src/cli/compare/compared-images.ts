import { ServiceError } from '../../errors/service-error.ts';
import { findInputs, type Inputs } from '../inputs/find-inputs.ts';
import type { CompareSettings } from '../settings/compare.ts';
import type { CompareParts } from './comparing-encoder.ts';
import type { Failure } from './comparison-run.ts';

/** A run keeps figures of each image, and every image takes as many runs of an engine as there are models. */
const mostImages = 10_000;

export interface ComparedImages {
  readonly images: Inputs['found'];
  readonly failures: readonly Failure[];
}

/** Finds images as `encode` does, but none in tars. Rejects with `invalid_argument` if there are none, or too many. */
export async function findImages(
  operands: readonly string[],
  { out }: Pick<CompareSettings, 'out'>,
  { readStdin }: Pick<CompareParts, 'readStdin'>,
): Promise<ComparedImages> {
  const { found, failures } = await findInputs(operands, readStdin, out);
  const images = found.filter(({ kind }) => kind === 'file');
  if (images.length > mostImages) {
    throw new ServiceError(
      'invalid_argument',
      `There are ${images.length.toLocaleString('en-US')} images; compare takes at most ${mostImages.toLocaleString('en-US')}. ` +
        'Give fewer: a few hundred say as much.',
    );
  }
  const tars = found.filter(({ kind }) => kind === 'tar');
  return {
    images,
    failures: [
      ...failures.map(({ file, reason }) => ({ file, problem: reason })),
      ...tars.map(({ path }) => ({ file: path, problem: 'compare does not read tars; unpack it.' })),
    ],
  };
}
