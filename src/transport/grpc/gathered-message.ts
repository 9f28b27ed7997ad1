import protobuf from 'protobufjs/minimal.js';

/** One piece of a protobuf message: a field's tag and length, or bytes as they stand. */
export type Piece = Uint8Array<ArrayBuffer>;

/** The wire type of bytes, strings and embedded messages. */
const lengthDelimited = 2;

/** What protobufjs wrote, as a piece: its writer never allocates shared memory. */
export function owned(bytes: Uint8Array): Piece {
  return bytes as Piece;
}

/** A field of bytes, or of an embedded message whose encoding is `content`. The pieces of `content` are kept. */
export function bytesField(number: number, content: readonly Piece[]): Piece[] {
  const head = protobuf.Writer.create()
    .uint32(number * 8 + lengthDelimited)
    .uint32(totalBytes(content));
  return [owned(head.finish()), ...content];
}

export function totalBytes(pieces: readonly { readonly byteLength: number }[]): number {
  return pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
}

/**
 * An encoded message that stays in pieces until grpc-js copies it to its output buffer: the one copy of the tokens.
 *
 * grpc-js asks a serializer for a Buffer. Its server uses `byteLength` and `copy(target, offset)` of it alone, and has
 * no way to send a message in pieces; gathering the pieces first would copy every answer once more.
 */
export class GatheredMessage {
  readonly byteLength: number;
  readonly #pieces: readonly Piece[];

  constructor(pieces: readonly Piece[]) {
    this.byteLength = totalBytes(pieces);
    this.#pieces = pieces;
  }

  /** Writes the whole message at `offset` of `target`; gives the number of bytes written. */
  copy(target: Uint8Array, offset = 0): number {
    let at = offset;
    for (const piece of this.#pieces) {
      target.set(piece, at);
      at += piece.byteLength;
    }
    return at - offset;
  }
}
