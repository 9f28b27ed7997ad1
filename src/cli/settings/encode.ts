import { tokenDtypes } from '../../tokens/tensor.ts';
import { command, type Rule } from './command.ts';
import { engineRules, engineSettings, quietLogSettings } from './engine-settings.ts';
import { readPath } from './readers.ts';
import type { Settings, SettingValues } from './setting.ts';

const outputSettings = {
  out: {
    type: 'text',
    placeholder: 'PATH',
    read: readPath,
    flagOnly: true,
    description: 'Folder for token files, or an archive with one tensor per image, named by its path.',
  },
  format: {
    type: 'choice',
    choices: ['auto', 'npy', 'safetensors', 'torch'],
    default: 'auto',
    flagOnly: true,
    description: 'Format of the token files; auto is safetensors for an archive and npy for a folder.',
  },
  dtype: {
    type: 'choice',
    choices: tokenDtypes,
    default: 'float16',
    flagOnly: true,
    description: 'Type of the values; npy has no bfloat16.',
  },
  embeddings: {
    type: 'boolean',
    flagOnly: true,
    description: "Write what the model's projector makes of its features, for a language model.",
  },
  exif: {
    type: 'choice',
    choices: ['apply', 'ignore'],
    default: 'apply',
    flagOnly: true,
    description: 'Whether to rotate and flip images by the orientation in their EXIF, XMP or PNG texts.',
  },
} as const satisfies Settings;

type OutputValues = SettingValues<typeof outputSettings>;

const outputRules: readonly Rule<OutputValues>[] = [
  {
    of: ['out'],
    problems: ({ out }) =>
      /\.np[yz]$/.test(out)
        ? [`--out ${out} is named like a file; give a folder, or an archive that ends in .safetensors.`]
        : [],
  },
  {
    of: ['out', 'format'],
    problems: ({ out, format }) =>
      (format === 'npy' || format === 'torch') && isArchive(out)
        ? [`--out ${out} is a safetensors archive; --format ${format} needs a folder.`]
        : [],
  },
  {
    of: ['out', 'format', 'dtype'],
    problems: (values) =>
      values.dtype === 'bfloat16' && tokenFormat(values) === 'npy'
        ? ['--dtype bfloat16 needs --format safetensors or torch: npy has no bfloat16.']
        : [],
  },
];

/** Encodes image files in this process, without a service. */
export const encodeCommand = command({
  name: 'encode',
  usage: 'encode FILE... --out PATH [OPTION]...',
  summary:
    'Encodes image files with the first model. Writes a file of tokens for each image to the folder PATH, or one ' +
    'archive if PATH ends in .safetensors. A file that fails is reported; the others are still encoded.',
  operands: { placeholder: 'FILE', min: 1, max: Number.POSITIVE_INFINITY },
  settings: {
    ...outputSettings,
    ...engineSettings,
    ...quietLogSettings,
  },
  rules: [...engineRules, ...outputRules],
  hints: { output: 'Use --embeddings for embeddings, and --out for the path to write to.' },
});

export type EncodeSettings = SettingValues<typeof encodeCommand.settings>;

/** Whether a path to write to is one archive rather than a folder. */
export function isArchive(out: string): boolean {
  return out.endsWith('.safetensors');
}

/** The formats of token files. */
export type FileFormat = 'npy' | 'safetensors' | 'torch';

/** The extension of a format's files. */
export const fileExtensions = {
  npy: '.npy',
  safetensors: '.safetensors',
  torch: '.pt',
} as const satisfies Record<FileFormat, string>;

/** The format to write; resolves `auto`. */
export function tokenFormat({ out, format }: Pick<OutputValues, 'out' | 'format'>): FileFormat {
  if (format !== 'auto') return format;
  return isArchive(out) ? 'safetensors' : 'npy';
}
