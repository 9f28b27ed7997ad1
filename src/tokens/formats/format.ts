import { ServiceError } from '../../errors/service-error.ts';
import type { AnswerMetadata } from '../answer-metadata.ts';
import { jsonFile } from './json.ts';
import { npyFile, npyCanHold } from './npy.ts';
import { safetensorsFile } from './safetensors.ts';
import { type TokenDtype, type TokenTensor, tokenDtypes } from '../tensor.ts';
import { rawFile, type TokenFile } from './token-file.ts';

/** The formats of an answer, the default first. */
export const tokenFormats = ['npy', 'raw', 'safetensors', 'json'] as const;
export type TokenFormat = (typeof tokenFormats)[number];

const writers: Record<TokenFormat, (tensor: TokenTensor, metadata: AnswerMetadata) => TokenFile> = {
  npy: npyFile,
  raw: rawFile,
  safetensors: safetensorsFile,
  json: jsonFile,
};

/** Puts tokens and their metadata into a format. Reads no element. Throws as {@link requireDtype} does. */
export function tokenFile(format: TokenFormat, tensor: TokenTensor, metadata: AnswerMetadata): TokenFile {
  requireDtype(format, tensor.dtype);
  return writers[format](tensor, metadata);
}

/** Whether the file itself contains the metadata. Otherwise the metadata must travel beside it. */
export function carriesMetadata(format: TokenFormat): boolean {
  return format === 'safetensors' || format === 'json';
}

/** Throws `not_acceptable`, with what would work, when the format cannot hold the dtype. */
export function requireDtype(format: TokenFormat, dtype: TokenDtype): void {
  if (canHold(format, dtype)) return;
  const formats = tokenFormats.filter((other) => canHold(other, dtype)).join(', ');
  const dtypes = tokenDtypes.filter((other) => canHold(format, other)).join(', ');
  throw new ServiceError(
    'not_acceptable',
    `${format} cannot hold ${dtype}: use another format (${formats}) or another dtype (${dtypes}).`,
  );
}

function canHold(format: TokenFormat, dtype: TokenDtype): boolean {
  return format !== 'npy' || npyCanHold(dtype);
}
