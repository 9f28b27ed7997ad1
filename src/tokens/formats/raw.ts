import type { TokenTensor } from '../tensor.ts';
import { type TokenFile, totalBytes } from './token-file.ts';

/** The little-endian values alone; shape and dtype travel in the metadata. */
export function rawFile(tensor: TokenTensor): TokenFile {
  return {
    contentType: 'application/octet-stream',
    contentLength: totalBytes(tensor.parts),
    body: { kind: 'buffers', buffers: tensor.parts },
  };
}
