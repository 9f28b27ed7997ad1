import { ServiceError } from '../errors/service-error.ts';

/** The types of tokens that a caller can choose. */
export const tokenDtypes = ['float16', 'float32', 'bfloat16'] as const;
export type TokenDtype = (typeof tokenDtypes)[number];

/** safetensors' names of the dtypes. */
export const safetensorsDtypes = {
  float16: 'F16',
  float32: 'F32',
  bfloat16: 'BF16',
} as const satisfies Record<TokenDtype, string>;

export const dtypeBytes = { float16: 2, float32: 4, bfloat16: 2 } as const satisfies Record<
  TokenDtype,
  number
>;

/**
 * Tokens of an answer: row-major little-endian values of `shape`, in parts. The parts stay apart so that the tokens of
 * several images are sent without a copy.
 */
export interface TokenTensor {
  readonly shape: readonly number[];
  readonly dtype: TokenDtype;
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
}

/** The bytes of all parts together. */
export function byteLengthOf(parts: readonly { readonly byteLength: number }[]): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** The failure for tokens that are not finite in `dtype`. */
export function notFinite(dtype: TokenDtype): ServiceError {
  const advice = dtype === 'float32' ? '' : ' They may be in float32: use dtype=float32.';
  return new ServiceError(
    'internal',
    `The tokens of this image are not finite numbers in ${dtype}.${advice}`,
  );
}
