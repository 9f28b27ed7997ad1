import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseOptions } from '../../src/transport/request-options.ts';
import type { RecipeOptions } from '../../src/recipes/recipe-options.ts';

const fixtures = 'test/fixtures';

/** One call and what transformers gives for it (test/fixtures/cases.json). */
export interface GoldenCase {
  readonly expected: string;
  readonly shape: readonly number[];
  readonly rpc: 'Encode' | 'TeacherEncode' | 'AnyResEncode';
  readonly image: string;
  /** Checkpoint; siglip-tiny when absent. */
  readonly model?: string;
  readonly features?: 'last_hidden_state' | 'pre_norm' | 'penultimate';
  readonly exif?: 'ignore';
  readonly scales?: readonly number[];
  readonly weights?: readonly number[];
  readonly fusion?: string;
  readonly windows?: string;
  readonly grid?: readonly [width: number, height: number];
  readonly max_tiles?: number | null;
}

interface CasesFile {
  readonly tolerance: { readonly absolute: number; readonly float16_relative: number };
  readonly cases: readonly GoldenCase[];
}

const file = JSON.parse(readFileSync(join(fixtures, 'cases.json'), 'utf8')) as CasesFile;

export const goldenCases = file.cases;

export const imageBytes = (name: string) => readFileSync(join(fixtures, 'images', name));

/** The expected tokens of a case, float32. */
export function expectedTokens({ expected }: GoldenCase): Float32Array {
  const bytes = readFileSync(join(fixtures, 'expected', expected));
  const start = 10 + bytes.readUInt16LE(8);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.byteLength));
}

/** Values of little-endian bytes. */
export function valuesOf(bytes: Uint8Array, dtype: 'float16' | 'float32'): Float32Array {
  // Not slice(): that of a Buffer shares its memory.
  const copy = new Uint8Array(bytes).buffer;
  if (dtype === 'float32') return new Float32Array(copy);
  return Float32Array.from(new Uint16Array(copy), halfToNumber);
}

function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}

/** By how many times the tolerance the worst value is off: at most 1 passes. NaN never passes. */
export function worstError(got: Float32Array, want: Float32Array, dtype: 'float16' | 'float32'): number {
  if (got.length !== want.length) return Infinity;
  const { absolute, float16_relative: relative } = file.tolerance;
  let worst = 0;
  for (const [index, value] of want.entries()) {
    const allowed = absolute + (dtype === 'float16' ? relative * Math.abs(value) : 0);
    const error = Math.abs(got[index]! - value) / allowed;
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

/** What a case asks, as the pipeline takes it. */
export function goldenRecipe(golden: GoldenCase): RecipeOptions {
  return parseOptions(recipes[golden.rpc], goldenOptions(golden)).recipe;
}

/** A case's options by their wire names, without model, dtype and exif. */
export function goldenOptions(golden: GoldenCase): Record<string, string> {
  const { rpc, scales, weights, fusion, windows, grid, max_tiles: maxTiles } = golden;
  if (rpc === 'TeacherEncode') {
    return {
      ...(scales && { scales: scales.join(',') }),
      ...(weights && { weights: weights.join(',') }),
      ...(fusion && { fusion }),
      ...(windows && { windows: windowsOf(windows) }),
      ...(grid && { grid: grid.join('x') }),
    };
  }
  // null is written for no limit.
  return rpc === 'AnyResEncode' ? { max_tiles: String(maxTiles ?? 0) } : {};
}

/** The word that the case's description begins with. */
export const windowsOf = (windows: string) => windows.split(' ', 1)[0]!;

const recipes = { Encode: 'encode', TeacherEncode: 'teacher', AnyResEncode: 'anyres' } as const;
