import { ServiceError } from '../../errors/service-error.ts';
import type { ImageTokens } from './image-outcome.ts';
import { jsonFile } from './json.ts';
import { npyFile, npyCanHold } from './npy.ts';
import { safetensorsFile } from './safetensors.ts';
import { type TokenDtype, tokenDtypes } from '../tensor.ts';
import { rawFile, type TokenFile } from './token-file.ts';
import { torchFile } from './torch.ts';
import { vllmFile, vllmFormats } from './vllm.ts';

/** The formats of an answer, the default first. */
export const tokenFormats = ['npy', 'raw', 'safetensors', 'json', 'torch', ...vllmFormats] as const;
export type TokenFormat = (typeof tokenFormats)[number];

const writers: Record<TokenFormat, (answer: ImageTokens) => TokenFile> = {
  npy: ({ tensor }) => npyFile(tensor),
  raw: ({ tensor }) => rawFile(tensor),
  safetensors: ({ tensor, metadata }) => safetensorsFile(tensor, metadata),
  json: ({ tensor, metadata }) => jsonFile(tensor, metadata),
  torch: ({ tensor }) => torchFile(tensor),
  vllm: (answer) => vllmFile('vllm', answer),
  'vllm-prompt-embeds': (answer) => vllmFile('vllm-prompt-embeds', answer),
};

/** Puts tokens and their metadata into a format. Reads no element. Throws as {@link requireDtype} does. */
export function tokenFile(format: TokenFormat, answer: ImageTokens): TokenFile {
  requireDtype(format, answer.tensor.dtype);
  return writers[format](answer);
}

/** Whether the file itself contains the metadata. Otherwise the metadata must travel beside it. */
export function carriesMetadata(format: TokenFormat): boolean {
  return format === 'safetensors' || format === 'json';
}

/** Throws `not_acceptable`, with what would work, when the format cannot hold the dtype. */
export function requireDtype(format: TokenFormat, dtype: TokenDtype): void {
  if (canHold(format, dtype)) return;
  const others = tokenFormats.filter(
    (other) => canHold(other, dtype) && !vllmFormats.some((known) => known === other),
  );
  const formats = others.join(', ');
  const dtypes = tokenDtypes.filter((other) => canHold(format, other)).join(', ');
  throw new ServiceError(
    'not_acceptable',
    `${format} cannot hold ${dtype}: use another format (${formats}) or another dtype (${dtypes}).`,
  );
}

function canHold(format: TokenFormat, dtype: TokenDtype): boolean {
  return format !== 'npy' || npyCanHold(dtype);
}
