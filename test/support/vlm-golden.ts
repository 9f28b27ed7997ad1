import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importModel } from '../../src/model/import/import-model.ts';
import { valuesOf } from './golden.ts';

const fixtures = 'test/fixtures/vlm';
const checkpoints = 'test/fixtures/vlm-checkpoints';

/** One call to a model of a whole VLM checkpoint, and what transformers gives for it (test/fixtures/vlm/cases.json). */
export interface VlmCase {
  readonly expected: string;
  readonly shape: readonly number[];
  /** The largest magnitude of the expected values. */
  readonly max: number;
  readonly checkpoint: string;
  readonly rpc: 'Encode' | 'TeacherEncode' | 'AnyResEncode';
  /** In test/fixtures/images, or in test/fixtures/vlm/views. */
  readonly image: string;
  /** The request's options, by their names in HTTP. */
  readonly request: Readonly<Record<string, string>>;
}

interface CasesFile {
  /** The checkpoint that a tower takes its projector from. */
  readonly projectors: Readonly<Record<string, string>>;
  readonly tolerance: { readonly relative_to_max: number; readonly float16_relative: number };
  readonly cases: readonly VlmCase[];
}

const file = JSON.parse(readFileSync(join(fixtures, 'cases.json'), 'utf8')) as CasesFile;

export const vlmCases = file.cases;

/** Imports a VLM checkpoint, or a tower with the projector of another one; gives the model folder. */
export async function importVlm(scratch: string, checkpoint: string): Promise<string> {
  const out = join(scratch, checkpoint);
  const projector = file.projectors[checkpoint];
  await importModel({
    source: join(checkpoints, checkpoint),
    ...(projector === undefined ? {} : { projector: { source: join(checkpoints, projector) } }),
    out,
    precision: 'fp32',
  });
  return out;
}

export function vlmImage({ image }: VlmCase): Buffer {
  return readFileSync(join(image.startsWith('views/') ? fixtures : 'test/fixtures/images', image));
}

/** By how many times the tolerance the worst value is off: at most 1 passes. NaN never passes. */
export function vlmError(golden: VlmCase, got: Uint8Array, dtype: 'float16' | 'float32'): number {
  const bytes = readFileSync(join(fixtures, 'expected', golden.expected));
  const want = valuesOf(bytes.subarray(10 + bytes.readUInt16LE(8)), 'float32');
  const values = valuesOf(got, dtype);
  if (values.length !== want.length) return Number.POSITIVE_INFINITY;
  const { relative_to_max: ofMax, float16_relative: ofValue } = file.tolerance;
  let worst = 0;
  for (const [index, value] of want.entries()) {
    const allowed = ofMax * golden.max + (dtype === 'float16' ? ofValue * Math.abs(value) : 0);
    const error = Math.abs(values[index]! - value) / allowed;
    if (!(error <= worst)) worst = error;
  }
  return worst;
}
