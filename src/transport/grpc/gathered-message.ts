import protobuf from 'protobufjs/minimal.js';
import { byteLengthOf } from '../../tokens/tensor.ts';

/** The wire type of bytes, strings and embedded messages. */
const lengthDelimited = 2;

/** A field of bytes, or of an embedded message. The pieces of `content` are not copied. */
export function bytesField(number: number, content: readonly Uint8Array[]): Uint8Array[] {
  const head = protobuf.Writer.create()
    .uint32(number * 8 + lengthDelimited)
    .uint32(byteLengthOf(content));
  return [head.finish(), ...content];
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
  readonly #pieces: readonly Uint8Array[];

  constructor(pieces: readonly Uint8Array[]) {
    this.byteLength = byteLengthOf(pieces);
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
