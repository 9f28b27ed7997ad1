import { join } from 'node:path';
import { usualMaxPixels } from '../../image/raster.ts';
import { embeddedNames } from '../../model/model.ts';
import { servedName } from '../../model/model-source.ts';
import type { Rule } from './command.ts';
import { readDevices, readModel } from './readers.ts';
import type { Settings, SettingValues } from './setting.ts';

/** Of the commands that read images themselves; a service's requests have it as an option. */
export const exifSetting = {
  type: 'choice',
  choices: ['apply', 'ignore'],
  default: 'apply',
  description: 'Whether to rotate and flip images by the orientation in their EXIF, XMP or PNG texts.',
} as const;

/** Settings that run models: shared by every command that encodes. */
export const engineSettings = {
  model: {
    type: 'repeated',
    placeholder: '[NAME=]FOLDER',
    read: readModel,
    description:
      'Model folder made by import, served under NAME or the name of the folder (1 to 64 of A-Z a-z 0-9 . _ -). ' +
      'Repeat the flag for several models, or separate them by commas in the variable; the first is the default. ' +
      `Without any, they are the embedded ${embeddedNames.join(' and ')}, small ones for trying things out.`,
  },
  device: {
    type: 'text',
    placeholder: 'cpu|cuda:N,...',
    read: readDevices,
    default: 'cpu',
    description:
      'Devices that run the models: cpu, cuda, or GPUs as in cuda:0,cuda:1. cuda:N is the Nth GPU that the process can ' +
      'see, counted from 0; cuda is cuda:0. Each GPU runs every model.',
  },
  engines: {
    type: 'integer',
    min: 1,
    max: 64,
    default: '1',
    description:
      'Engines of a model on each device. Each has its own session and --threads threads, and runs its own batches. If one ' +
      'fails, the others go on.',
  },
  threads: {
    type: 'integer',
    min: 1,
    max: 1024,
    default: {
      text: '(cores - 1) / engines, at least 1',
      of: ({ cores }, { engines = 1 }) => String(Math.max(1, Math.floor((cores - 1) / Number(engines)))),
    },
    description:
      'Threads of one engine on a CPU. The default leaves a core for sockets, decoding and resizing. Cores are those ' +
      "of the container's CPU limit, if it has one.",
  },
  'share-weights': {
    type: 'boolean',
    description:
      'Engines on a CPU share one copy of the weights in memory, the mapped file. Without it each engine makes a copy that is ' +
      'laid out for its kernels, and is at least a tenth faster.',
  },
  'max-batch': {
    type: 'integer',
    min: 0,
    max: 256,
    default: '0',
    description: 'Largest batch of a model, in views; 0 chooses it from measured batch times.',
  },
  'warm-up-ms': {
    type: 'milliseconds',
    min: 0,
    max: 10_000,
    default: '10000',
    description: 'Longest time to spend at start on measuring batch times of a model.',
  },
  'engine-timeout-ms': {
    type: 'milliseconds',
    min: 100,
    max: 3_600_000,
    default: '60000',
    description:
      'Longest time a batch may take, or ten times its measured time if that is longer. After that the engine counts ' +
      'as stuck and is not used any more, because nothing inside the process can recover it. When no engine of a model ' +
      'is left, the process ends.',
  },
  'view-threads': {
    type: 'integer',
    min: 1,
    max: 256,
    default: { text: 'cores, at most 16', of: ({ cores }) => String(Math.min(cores, 16)) },
    description:
      'Threads that decode ordinary JPEGs and GIFs, wait for libvips to decode others, resize images and cut views.',
  },
  'decode-concurrency': {
    type: 'integer',
    min: 1,
    max: 1024,
    default: {
      text: 'cores, at most UV_THREADPOOL_SIZE',
      of: ({ cores, poolThreads }) => String(Math.min(cores, poolThreads)),
    },
    description:
      'Images held as pixels at one time, including those being decoded. libvips decodes on UV_THREADPOOL_SIZE threads.',
  },
  'max-pixels': {
    type: 'integer',
    min: 1,
    max: 1_000_000_000,
    default: String(usualMaxPixels),
    description:
      'Largest image, in pixels, checked before it is decoded. The default is where Pillow starts to warn of a ' +
      'decompression bomb: 256 MiB as RGB.',
  },
  'max-raster-bytes': {
    type: 'bytes',
    min: 1024,
    max: 2 ** 40,
    default: '1GiB',
    description:
      'Most bytes of images held as pixels at one time, 3 per pixel. Other images wait for their turn; an image ' +
      'larger than this is held alone.',
  },
  'cache-dir': {
    type: 'optional',
    placeholder: 'FOLDER',
    default: {
      text: '$XDG_CACHE_HOME/siglip-hd, or ~/.cache/siglip-hd',
      of: ({ cacheHome }) => (cacheHome === undefined ? undefined : join(cacheHome, 'siglip-hd')),
    },
    description: 'Folder in which the embedded models are made and kept. With --model it is not used.',
  },
} as const satisfies Settings;

/** Rules of the engine settings. */
export const engineRules: readonly Rule<SettingValues<typeof engineSettings>>[] = [
  {
    of: ['models'],
    problems({ models }) {
      const names = models.map(servedName);
      const repeated = new Set(names.filter((name, index) => names.indexOf(name) !== index));
      return [...repeated].map(
        (name) => `--model names more than one model "${name}"; use NAME=FOLDER to tell them apart.`,
      );
    },
  },
  {
    of: ['decodeConcurrency'],
    problems: ({ decodeConcurrency }, { poolThreads }) =>
      decodeConcurrency <= poolThreads
        ? []
        : [
            `--decode-concurrency ${decodeConcurrency} needs the environment variable UV_THREADPOOL_SIZE to be ` +
              `${decodeConcurrency} or more; it is ${poolThreads}.`,
          ],
  },
];

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

/** The level and the format of the log. */
export const logSettings = {
  'log-level': {
    type: 'choice',
    choices: logLevels,
    default: 'info',
    description: 'Least severe level that is logged.',
  },
  'log-format': {
    type: 'choice',
    choices: ['auto', 'json', 'pretty'],
    default: 'auto',
    description: 'json writes one object per line; auto is pretty on a terminal and json elsewhere.',
  },
} as const satisfies Settings;

/** The same for commands that print results, which a log at level info would bury. */
export const quietLogSettings = {
  ...logSettings,
  'log-level': { ...logSettings['log-level'], default: 'warn' },
} as const satisfies Settings;
