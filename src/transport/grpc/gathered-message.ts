import { varint } from '../../model/import/varint.ts';

/** One piece of a protobuf message: a field's tag and length, or bytes as they stand. */
export type Piece = Uint8Array<ArrayBuffer>;

/** What protobufjs wrote, as a piece: its writer allocates with Buffer, never over shared memory. */
export function owned(bytes: Buffer): Piece {
  return bytes as Piece;
}

/** An integer field. Zero is protobuf's default and takes no bytes. */
export function integerField(number: number, value: number): Piece[] {
  return value === 0 ? [] : [varint(number * 8), varint(value)];
}

/** A field of bytes, or of an embedded message whose encoding is `content`. The pieces of `content` are kept. */
export function bytesField(number: number, content: readonly Piece[]): Piece[] {
  return [varint(number * 8 + 2), varint(totalBytes(content)), ...content];
}

export function stringField(number: number, text: string): Piece[] {
  return text === '' ? [] : bytesField(number, [new TextEncoder().encode(text)]);
}

export function totalBytes(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
}

/**
 * An encoded message that stays in pieces until it is copied to where it is sent from. It has exactly what grpc-js's
 * server uses of the Buffer that a serializer gives: `byteLength` and `copy(target, offset)`.
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
