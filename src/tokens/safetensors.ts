import type { AnswerMetadata } from '../request.ts';
import { metadataJson } from './metadata.ts';
import type { TokenDtype, TokenTensor } from './tensor.ts';
import { type TokenFile, totalBytes } from './token-file.ts';

const dtypeNames = { float16: 'F16', float32: 'F32', bfloat16: 'BF16' } as const satisfies Record<
  TokenDtype,
  string
>;

/**
 * A .safetensors file with one tensor, `tokens`, at a multiple of 8 bytes, and the answer's metadata as JSON
 * under `tokens_meta` in `__metadata__`, whose values the format wants to be strings.
 */
export function safetensorsFile(tensor: TokenTensor, metadata: AnswerMetadata): TokenFile {
  const header = JSON.stringify({
    __metadata__: { format: 'pt', tokens_meta: metadataJson(metadata) },
    tokens: {
      dtype: dtypeNames[tensor.dtype],
      shape: tensor.shape,
      data_offsets: [0, totalBytes(tensor.parts)],
    },
  });
  const lengthBytes = 8;
  const head = Buffer.alloc(lengthBytes + Math.ceil(header.length / 8) * 8, ' ');
  head.writeBigUInt64LE(BigInt(head.byteLength - lengthBytes), 0);
  head.write(header, lengthBytes, 'latin1');
  const buffers = [head, ...tensor.parts];
  return {
    contentType: 'application/x-safetensors',
    contentLength: totalBytes(buffers),
    body: { kind: 'buffers', buffers },
  };
}
