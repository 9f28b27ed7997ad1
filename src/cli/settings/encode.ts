import { tokenDtypes } from '../../tokens/tensor.ts';
import { encodeRules } from './contradictions.ts';
import { engineSettings, quietLogSettings } from './engine-settings.ts';
import { readPath } from './readers.ts';
import { command } from './command.ts';
import type { SettingValues } from './setting.ts';

/** Encodes files without a service. */
export const encodeCommand = command({
  name: 'encode',
  usage: 'encode FILE... --out PATH [OPTION]...',
  summary:
    'Encodes image files with the first model: a file of tokens for each in the folder PATH, or all of them in one ' +
    'archive when PATH ends in .safetensors. A file that fails is named, and the others are still done.',
  operands: { placeholder: 'FILE', min: 1, max: Number.POSITIVE_INFINITY },
  settings: {
    out: {
      type: 'text',
      placeholder: 'PATH',
      read: readPath,
      flagOnly: true,
      description:
        'Folder for the files of tokens, or archive with a tensor for each file, named by its path.',
    },
    format: {
      type: 'choice',
      choices: ['auto', 'npy', 'safetensors'],
      default: 'auto',
      flagOnly: true,
      description: 'Format of the files; auto is safetensors for an archive and npy for a folder.',
    },
    dtype: {
      type: 'choice',
      choices: tokenDtypes,
      default: 'float16',
      flagOnly: true,
      description: 'Type of the values; npy has no bfloat16.',
    },
    exif: {
      type: 'choice',
      choices: ['apply', 'ignore'],
      default: 'apply',
      flagOnly: true,
      description: 'Whether to turn images as their EXIF orientation says.',
    },
    ...engineSettings,
    ...quietLogSettings,
  },
  rules: encodeRules,
});

export type EncodeSettings = SettingValues<typeof encodeCommand.settings>;
