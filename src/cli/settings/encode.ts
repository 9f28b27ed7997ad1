import { command, type Rule } from './command.ts';
import { engineRules, engineSettings, quietLogSettings } from './engine-settings.ts';
import { readApiKey, readServiceUrl } from './readers.ts';
import { recipeRules, recipeSettings } from './recipe-flags.ts';
import { serveCommand } from './serve.ts';
import { flagsOnly, type Settings, type SettingValues } from './setting.ts';

const outputSettings = flagsOnly({
  out: {
    type: 'optional',
    placeholder: 'PATH',
    description:
      'Folder for tokens and manifest.jsonl, or an archive (.safetensors) with one tensor per image, named by its path. ' +
      'Required, unless --preview is given.',
  },
  preview: {
    type: 'optional',
    placeholder: 'FILE.png',
    description:
      'Draws the tokens of one image instead of writing them: their first three principal components as red, green and blue.',
  },
  format: {
    type: 'choice',
    choices: ['auto', 'npy', 'safetensors', 'torch', 'webdataset'],
    default: 'auto',
    description:
      'npy, safetensors and torch write a file for each image; webdataset writes tar shards with KEY.npy and KEY.json for ' +
      'each. auto is safetensors for an archive and npy for a folder.',
  },
  'shard-bytes': {
    type: 'bytes',
    min: 1024,
    max: 2 ** 40,
    default: '1GiB',
    description: 'Size at which a shard of webdataset is complete and the next one starts.',
  },
  'max-file-bytes': {
    type: 'bytes',
    min: 1024,
    max: 2 ** 30,
    default: serveCommand.settings['max-body-bytes'].default,
    description:
      'Largest image file, or member of a tar, that is read. A larger one fails; the others are encoded.',
  },
});

const serviceSettings = {
  ...flagsOnly({
    url: {
      type: 'repeated',
      placeholder: 'URL',
      read: readServiceUrl,
      description:
        'Running service to use in place of engines in this process, as in http://HOST:8080. Repeat the flag for several, ' +
        'which must serve the same model. --model is then the name of a served model, and settings of engines have no effect.',
    },
    'url-requests': {
      type: 'integer',
      min: 1,
      max: 1024,
      default: '32',
      description: 'Requests in flight to each --url at one time.',
    },
    'retry-ms': {
      type: 'milliseconds',
      min: 0,
      max: 86_400_000,
      default: '600000',
      description:
        'How long to retry services that refuse a request or cannot be reached yet. If no ' +
        'service answers anything for that long, the command ends; run it again to resume. An image that is refused six ' +
        'times while others are answered fails alone. 0 tries once.',
    },
  }),
  'api-key': {
    type: 'optional',
    placeholder: 'KEY',
    variableOnly: true,
    read: readApiKey,
    description: 'API key for the services of --url. There is no flag for it, because others could see it.',
  },
} as const satisfies Settings;

type OutputValues = SettingValues<typeof outputSettings & Pick<typeof recipeSettings, 'dtype'>>;

const outputRules: readonly Rule<OutputValues>[] = [
  {
    of: ['format'],
    problems({ out, preview }) {
      if (preview !== undefined && !/\.png$/i.test(preview)) {
        return [`--preview ${preview} must end in .png: it is a PNG file.`];
      }
      if (out === undefined && preview === undefined) return ['--out is missing.'];
      if (out === undefined || preview === undefined) return [];
      return ['--preview draws one image in place of writing to --out; give one of them.'];
    },
  },
  {
    of: ['out'],
    problems: ({ out = '' }) =>
      /\.(np[yz]|tar)$/.test(out)
        ? [`--out ${out} is named like a file; give a folder, or an archive that ends in .safetensors.`]
        : [],
  },
  {
    of: ['out', 'format'],
    problems: ({ out, format }) =>
      isArchive(out) && format !== 'auto' && format !== 'safetensors'
        ? [`--out ${out} is a safetensors archive; --format ${format} needs a folder.`]
        : [],
  },
  {
    of: ['out', 'format', 'dtype'],
    problems: (values) =>
      values.dtype === 'bfloat16' && layouts[layoutOf(values)].format === 'npy'
        ? ['--dtype bfloat16 needs --format safetensors or torch: npy has no bfloat16.']
        : [],
  },
];

type ServiceValues = SettingValues<
  typeof serviceSettings & Pick<typeof engineSettings, 'model' | 'device' | 'engines'>
>;

const serviceRules: readonly Rule<ServiceValues>[] = [
  {
    of: ['urls', 'models', 'device', 'engines'],
    problems({ urls, models, device, engines }) {
      if (urls.length === 0) return [];
      const useless = [
        ...(device.kind === 'cpu' ? [] : ['--device']),
        ...(engines === 1 ? [] : ['--engines']),
      ];
      return [
        ...useless.map((flag) => `${flag} has no effect with --url: the services run the model.`),
        ...(models.length > 1 || models.some(({ name, folder }) => name !== undefined || folder.includes('/'))
          ? ['--model with --url is the name of one served model, not a folder.']
          : []),
      ];
    },
  },
];

type ModelValues = SettingValues<
  Pick<typeof engineSettings, 'model'> &
    Pick<typeof serviceSettings, 'url'> &
    Pick<typeof recipeSettings, 'recipe' | 'windows'>
>;

const modelRule: Rule<ModelValues> = {
  of: ['models', 'urls', 'recipe', 'windows'],
  problems: ({ models, urls, recipe, windows }) =>
    models.length > 1 && urls.length === 0 && !(recipe === 'teacher' && windows === 'whole')
      ? [
          '--model is given more than once, but one model encodes. Give one, or use --recipe teacher --windows whole, ' +
            'which takes several.',
        ]
      : [],
};

/** Encodes many image files, in this process or with running services. */
export const encodeCommand = command({
  name: 'encode',
  usage: "encode (FILE | FOLDER | SHARD.tar | 'PATTERN' | -)... --out PATH [OPTION]...",
  summary:
    'Encodes image files: files, folders with all below them, tar shards, patterns such as "photos/**/*.jpg", and with - the ' +
    'paths on stdin, one a line. Writes tokens and a manifest to the folder PATH, or one archive if PATH ends in ' +
    '.safetensors. A file that fails is reported; the others are still encoded. The same command resumes an interrupted ' +
    'folder. See docs/research.md.',
  operands: { placeholder: 'FILE', min: 1, max: Number.POSITIVE_INFINITY },
  settings: {
    ...outputSettings,
    ...recipeSettings,
    ...serviceSettings,
    ...engineSettings,
    ...quietLogSettings,
  },
  rules: [...engineRules, ...outputRules, ...recipeRules, ...serviceRules, modelRule],
  hints: { output: 'Use --embeddings for embeddings, and --out for the path to write to.' },
});

export type EncodeSettings = SettingValues<typeof encodeCommand.settings>;

/** Settings with a place to write tokens to. */
export type WritingSettings = EncodeSettings & { readonly out: string };

/** Whether a path to write to is one archive rather than a folder. */
export function isArchive(out: string | undefined): boolean {
  return out?.endsWith('.safetensors') === true;
}

/** How tokens are laid out: the format of one image's tokens, and the extension of their file. */
export const layouts = {
  npy: { format: 'npy', extension: '.npy' },
  safetensors: { format: 'safetensors', extension: '.safetensors' },
  torch: { format: 'torch', extension: '.pt' },
  webdataset: { format: 'npy', extension: '.npy' },
  archive: { format: 'raw', extension: '.safetensors' },
} as const;

/** The layout that the settings choose. */
export function layoutOf({ out, format }: Pick<OutputValues, 'out' | 'format'>): keyof typeof layouts {
  if (isArchive(out)) return 'archive';
  return format === 'auto' ? 'npy' : format;
}
