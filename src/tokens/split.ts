/** Cuts `tokens` into `count` equal pieces, each in a buffer of its own, so that none keeps the whole alive. */
export function splitTokens(tokens: Uint8Array<ArrayBuffer>, count: number): Uint8Array<ArrayBuffer>[] {
  const pieceBytes = tokens.byteLength / count;
  return Array.from({ length: count }, (_, index) =>
    tokens.slice(index * pieceBytes, (index + 1) * pieceBytes),
  );
}
