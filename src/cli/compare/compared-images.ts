import { ServiceError } from '../../errors/service-error.ts';
import { findInputs, imageExtensions, type Inputs, noInputs } from '../inputs/find-inputs.ts';
import type { CompareSettings } from '../settings/compare.ts';
import type { CompareParts } from './comparison-run.ts';

/** A run keeps figures of each image, and every image takes as many runs of an engine as there are models. */
const mostImages = 10_000;

/** Finds images as `encode` does, but not in tars. Rejects with `invalid_argument` if there are none, or too many. */
export async function findImages(
  operands: readonly string[],
  { out }: Pick<CompareSettings, 'out'>,
  { readStdin }: Pick<CompareParts, 'readStdin'>,
): Promise<Inputs> {
  const inputs = await findInputs(operands, readStdin, out, imageExtensions);
  const found = inputs.found.filter(({ kind }) => kind === 'file');
  const tars = inputs.found.filter(({ kind }) => kind === 'tar');
  const failures = [
    ...inputs.failures,
    ...tars.map(({ path }) => ({ file: path, problem: 'compare does not read tars; unpack it.' })),
  ];
  if (found.length === 0) throw noInputs(failures);
  if (found.length > mostImages) {
    throw new ServiceError(
      'invalid_argument',
      `There are ${found.length.toLocaleString('en-US')} images; compare takes at most ${mostImages.toLocaleString('en-US')}. ` +
        'Give fewer: a few hundred are enough.',
    );
  }
  return { found, failures };
}
