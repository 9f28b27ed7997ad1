import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importModel, type ImportOptions } from '../../src/model/import/import-model.ts';
import { valuesOf } from './golden.ts';

const fixtures = 'test/fixtures/layers';

/** A request, and what transformers gives for it. */
export interface LayersCase {
  readonly checkpoint: 'siglip-head' | 'clip-projected';
  readonly image: string;
  /** Its options as a query. */
  readonly request: string;
  readonly expected: string;
  readonly shape: readonly number[];
  /** The largest magnitude of the expected values. */
  readonly max: number;
}

export const layersCases = (
  JSON.parse(readFileSync(join(fixtures, 'cases.json'), 'utf8')) as { cases: readonly LayersCase[] }
).cases;

/** The hidden states of the imports below, the default first. */
export const importedLayers = ['last_hidden_state', 'penultimate', '-3', '-5'] as const;

/** Imports one of the checkpoints, with all that the cases ask for; gives the model folder. */
export async function importLayers(
  scratch: string,
  checkpoint: LayersCase['checkpoint'],
  options: Partial<ImportOptions> = {},
): Promise<string> {
  const out = join(scratch, `${checkpoint}-${options.precision ?? 'fp32'}`);
  await importModel({
    source: join(fixtures, checkpoint),
    out,
    features: importedLayers,
    classToken: checkpoint === 'clip-projected',
    pooled: true,
    precision: 'fp32',
    ...options,
  });
  return out;
}

/** The expected values of a case. */
export function layersExpected({ expected, shape }: LayersCase): Float32Array {
  const bytes = readFileSync(join(fixtures, 'expected', expected));
  const start = 10 + bytes.readUInt16LE(8);
  const values = valuesOf(bytes.subarray(start), 'float32');
  if (!bytes.toString('latin1', 10, start).includes("'fortran_order': True")) return values;
  const [rows = 1, columns = 1] = shape;
  return values.map((_, at) => values[(at % columns) * rows + Math.floor(at / columns)]!);
}

/** By how many times the tolerance the worst value is off: at most 1 passes. */
export function layersError(golden: LayersCase, bytes: Uint8Array, dtype: 'float16' | 'float32'): number {
  const [got, want] = [valuesOf(bytes, dtype), layersExpected(golden)];
  if (got.length !== want.length) return Infinity;
  return want.reduce((worst, value, index) => {
    const allowed = 5e-5 * golden.max + (dtype === 'float16' ? 2 ** -10 * Math.abs(value) : 0);
    const error = Math.abs(got[index]! - value) / allowed;
    return error <= worst ? worst : error;
  }, 0);
}
