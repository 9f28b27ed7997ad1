/** What a caller may ask tokens as. */
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
 * Tokens as answered. `parts` joined are the row-major little-endian values of `shape`; they stay apart so that
 * several images' tokens are sent without being copied together.
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
