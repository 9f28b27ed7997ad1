import type { AnswerMetadata } from '../answer-metadata.ts';
import { type ImageFailure, imageFailure, type ImageOutcome } from './image-outcome.ts';
import { asciiJson, metadataJson } from './metadata.ts';
import { byteLengthOf, safetensorsDtypes, type TokenTensor } from '../tensor.ts';
import type { TokenFile } from './token-file.ts';

/**
 * A .safetensors file with one tensor, `tokens`, at a multiple of 8 bytes. The answer's metadata is a JSON string,
 * `tokens_meta` in `__metadata__`, because the format only allows strings there.
 */
export function safetensorsFile(tensor: TokenTensor, metadata: AnswerMetadata): TokenFile {
  return fileOf([{ name: 'tokens', tensor }], { tokens_meta: metadataJson(metadata) });
}

/**
 * A .safetensors file of several images, in order, with a tensor `tokens_INDEX` for each encoded image. `__metadata__`
 * has two JSON lists: `tokens_meta`, with each image's metadata or null, and `errors`, with the `index` and
 * {@link ImageFailure} of each failed image.
 */
export function safetensorsImagesFile(outcomes: readonly ImageOutcome[]): TokenFile {
  const tensors: NamedTensor[] = [];
  const metadata: string[] = [];
  const errors: ({ readonly index: number } & ImageFailure)[] = [];
  for (const outcome of outcomes) {
    const { index } = outcome;
    if (outcome.kind === 'encoded') {
      tensors.push({ name: `tokens_${index}`, tensor: outcome.answer.tensor });
      metadata.push(metadataJson(outcome.answer.metadata));
    } else {
      errors.push({ index, ...imageFailure(outcome.error) });
      metadata.push('null');
    }
  }
  return fileOf(tensors, { tokens_meta: `[${metadata.join(',')}]`, errors: asciiJson(errors) });
}

interface NamedTensor {
  readonly name: string;
  readonly tensor: TokenTensor;
}

/** `metadata` must be ASCII. */
function fileOf(tensors: readonly NamedTensor[], metadata: Readonly<Record<string, string>>): TokenFile {
  const entries: Record<string, unknown> = { __metadata__: { format: 'pt', ...metadata } };
  const parts: Uint8Array[] = [];
  let dataBytes = 0;
  for (const { name, tensor } of tensors) {
    const endBytes = dataBytes + byteLengthOf(tensor.parts);
    entries[name] = {
      dtype: safetensorsDtypes[tensor.dtype],
      shape: tensor.shape,
      data_offsets: [dataBytes, endBytes],
    };
    parts.push(...tensor.parts);
    dataBytes = endBytes;
  }
  const header = JSON.stringify(entries);
  const lengthBytes = 8;
  const head = Buffer.alloc(lengthBytes + Math.ceil(header.length / 8) * 8, ' ');
  head.writeBigUInt64LE(BigInt(head.byteLength - lengthBytes), 0);
  head.write(header, lengthBytes, 'latin1');
  return {
    contentType: 'application/x-safetensors',
    contentLength: head.byteLength + dataBytes,
    body: { kind: 'buffers', buffers: [head, ...parts] },
  };
}
