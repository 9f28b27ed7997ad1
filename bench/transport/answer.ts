/** What the servers of this folder answer unless told otherwise: So400m's shape. */
export const shape = [1024, 1152] as const;

/** Tokens of float16, in a buffer that is sent again and again. */
export function answerTokens(channels: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(shape[0] * channels * 2).map((_, index) => index * 31);
}

/** Where a server of this folder listens. */
export interface Listening {
  readonly httpPort?: number;
  readonly grpcPort?: number;
}
