import protobuf from 'protobufjs/minimal.js';

/** A piece of an encoded protobuf message. */
export type Piece = Uint8Array<ArrayBuffer>;

/** The wire type of bytes, strings and embedded messages. */
const lengthDelimited = 2;

/** Bytes from protobufjs, whose writer never allocates shared memory. */
export function owned(bytes: Uint8Array): Piece {
  return bytes as Piece;
}

/** A field of bytes, or of an embedded message. The pieces of `content` are not copied. */
export function bytesField(number: number, content: readonly Piece[]): Piece[] {
  const head = protobuf.Writer.create()
    .uint32(number * 8 + lengthDelimited)
    .uint32(totalBytes(content));
  return [owned(head.finish()), ...content];
}

export function totalBytes(pieces: readonly { readonly byteLength: number }[]): number {
  return pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
}

/** An encoded response: protobufjs's Buffer, or pieces that grpc-js copies into its own. */
export type EncodedMessage = Buffer | GatheredMessage;

/**
 * An encoded message in pieces, in place of the Buffer that grpc-js expects from a serializer. grpc-js copies a message
 * into its own output buffer, with `byteLength` and `copy(target, offset)` alone; joining the pieces before that would
 * copy every answer twice.
 */
export class GatheredMessage {
  readonly byteLength: number;
  readonly #pieces: readonly Piece[];

  constructor(pieces: readonly Piece[]) {
    this.byteLength = totalBytes(pieces);
    this.#pieces = pieces;
  }

  /** Copies the message to `offset` of `target`, and returns its length. */
  copy(target: Uint8Array, offset = 0): number {
    let at = offset;
    for (const piece of this.#pieces) {
      target.set(piece, at);
      at += piece.byteLength;
    }
    return at - offset;
  }
}
