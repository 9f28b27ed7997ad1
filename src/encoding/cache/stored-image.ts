import { createHash, type Hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { byteLengthOf } from '../../tokens/tensor.ts';
import type { ImageTokens } from '../encoded-image.ts';

/** The start of every value. Increase its number with every change of the format. */
const magic = Buffer.from('siglip-hd tokens 1\n');
const digestBytes = 64;
const sizeBytes = 8;
const headBytes = magic.byteLength + digestBytes + sizeBytes;

/** How much is copied and hashed at a time. The main thread does other work between two slices. */
const sliceBytes = 2 ** 20;

/**
 * Writes an image's tokens as one value: magic, SHA-256 of the rest in hex, width and height (uint32, little-endian),
 * values.
 */
export async function storedImage({ size, parts }: ImageTokens): Promise<Buffer> {
  const bytes = Buffer.alloc(headBytes + byteLengthOf(parts));
  magic.copy(bytes);
  bytes.writeUInt32LE(size.width, headBytes - 8);
  bytes.writeUInt32LE(size.height, headBytes - 4);
  const hash = createHash('sha256').update(bytes.subarray(headBytes - sizeBytes, headBytes));
  let at = headBytes;
  for (const part of parts) {
    await copyHashed(part, bytes.subarray(at), hash);
    at += part.byteLength;
  }
  bytes.write(hash.digest('hex'), magic.byteLength, 'latin1');
  return bytes;
}

/** Reads a value. Undefined if it has another format or is damaged. */
export async function readStoredImage(bytes: Buffer): Promise<ImageTokens | undefined> {
  if (bytes.byteLength <= headBytes || !bytes.subarray(0, magic.byteLength).equals(magic)) return undefined;
  const hash = createHash('sha256').update(bytes.subarray(headBytes - sizeBytes, headBytes));
  // The client returns parts of larger buffers, so the tokens are copied.
  const tokens = new Uint8Array(bytes.byteLength - headBytes);
  await copyHashed(bytes.subarray(headBytes), tokens, hash);
  const digest = bytes.toString('latin1', magic.byteLength, magic.byteLength + digestBytes);
  if (digest !== hash.digest('hex')) return undefined;
  return {
    size: { width: bytes.readUInt32LE(headBytes - 8), height: bytes.readUInt32LE(headBytes - 4) },
    parts: [tokens],
  };
}

async function copyHashed(from: Uint8Array, to: Uint8Array, hash: Hash): Promise<void> {
  for (let at = 0; at < from.byteLength; at += sliceBytes) {
    if (at > 0) await nextTurn();
    const slice = from.subarray(at, at + sliceBytes);
    hash.update(slice);
    to.set(slice, at);
  }
}
