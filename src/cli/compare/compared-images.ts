import { ServiceError } from '../../errors/service-error.ts';
import { findInputs, imageExtensions, type Inputs } from '../inputs/find-inputs.ts';
import type { CompareSettings } from '../settings/compare.ts';
import type { CompareParts } from './comparing-encoder.ts';
import type { Failure } from './comparison-run.ts';

/** A run keeps figures of each image, and every image takes as many runs of an engine as there are models. */
const mostImages = 10_000;

export interface ComparedImages {
  readonly images: Inputs['found'];
  readonly failures: readonly Failure[];
}

/** Finds images as `encode` does, but not in tars. Rejects with `invalid_argument` if there are none, or too many. */
export async function findImages(
  operands: readonly string[],
  { out }: Pick<CompareSettings, 'out'>,
  { readStdin }: Pick<CompareParts, 'readStdin'>,
): Promise<ComparedImages> {
  const { found, failures: unusable } = await findInputs(operands, readStdin, out, imageExtensions);
  const images = found.filter(({ kind }) => kind === 'file');
  const tars = found.filter(({ kind }) => kind === 'tar');
  const failures = [
    ...unusable.map(({ file, reason }) => ({ file, problem: reason })),
    ...tars.map(({ path }) => ({ file: path, problem: 'compare does not read tars; unpack it.' })),
  ];
  if (images.length === 0) {
    const [first] = failures;
    const more = failures.length > 1 ? ` ${failures.length - 1} more cannot be compared.` : '';
    throw new ServiceError(
      'invalid_argument',
      `There are no images to compare. ${first?.file}: ${first?.problem}${more}`,
    );
  }
  if (images.length > mostImages) {
    throw new ServiceError(
      'invalid_argument',
      `There are ${images.length.toLocaleString('en-US')} images; compare takes at most ${mostImages.toLocaleString('en-US')}. ` +
        'Give fewer: a few hundred are enough.',
    );
  }
  return { images, failures };
}
