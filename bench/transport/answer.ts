/** What every server of this section answers: tokens of So400m's shape, one buffer that is sent again and again. */
export const shape = [1024, 1152] as const;

export function answerTokens(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(shape[0] * shape[1] * 2).map((_, index) => index * 31);
}

/** Where a server of this section listens. */
export interface Listening {
  readonly httpPort?: number;
  readonly grpcPort?: number;
}
