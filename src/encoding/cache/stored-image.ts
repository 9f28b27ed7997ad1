import type { ImageTokens } from '../encoded-image.ts';
import { sha256 } from './sha256.ts';

/** The start of every value. Increase its number with every change of the format. */
const magic = Buffer.from('siglip-hd tokens 1\n');
const digestBytes = 64;
const sizeBytes = 8;
const headBytes = magic.byteLength + digestBytes + sizeBytes;

/**
 * Writes an image's tokens as one value: magic, SHA-256 of the rest in hex, width and height (uint32, little-endian),
 * values.
 */
export async function storedImage({ size, parts }: ImageTokens): Promise<Buffer> {
  const bytes = Buffer.concat([Buffer.alloc(headBytes), ...parts]);
  bytes.writeUInt32LE(size.width, headBytes - 8);
  bytes.writeUInt32LE(size.height, headBytes - 4);
  magic.copy(bytes);
  bytes.write(await sha256(bytes.subarray(headBytes - sizeBytes)), magic.byteLength, 'latin1');
  return bytes;
}

/** Reads a value. Undefined if it has another format or is damaged. */
export async function readStoredImage(bytes: Buffer): Promise<ImageTokens | undefined> {
  if (bytes.byteLength <= headBytes || !bytes.subarray(0, magic.byteLength).equals(magic)) return undefined;
  const digest = bytes.toString('latin1', magic.byteLength, magic.byteLength + digestBytes);
  if (digest !== (await sha256(bytes.subarray(headBytes - sizeBytes)))) return undefined;
  return {
    size: { width: bytes.readUInt32LE(headBytes - 8), height: bytes.readUInt32LE(headBytes - 4) },
    // The client returns parts of larger buffers, so the tokens are copied.
    parts: [Uint8Array.from(bytes.subarray(headBytes))],
  };
}
