import { usualMaxPixels } from '../../image/raster.ts';
import { join } from 'node:path';
import type { Settings } from './setting.ts';
import { readDevice, readModel, readPath } from './readers.ts';

/** What it takes to run models: shared by every command that encodes. */
export const engineSettings = {
  model: {
    type: 'repeated',
    placeholder: '[NAME=]FOLDER',
    read: readModel,
    description:
      'A model folder made by import, served under NAME or the name of the folder (1 to 64 of A-Z a-z 0-9 . _ -). ' +
      'Repeat it for several (in the variable, put commas between them); the first is the default. With none, the ' +
      'embedded default model is used, which is untrained: it shows the interface, not vision.',
  },
  device: {
    type: 'text',
    placeholder: 'cpu|cuda|cuda:N',
    read: readDevice,
    default: 'cpu',
    description: 'Where models run; cuda:N is the Nth GPU that the process can see, counted from 0.',
  },
  threads: {
    type: 'integer',
    min: 1,
    max: 1024,
    default: { text: 'cores - 1, at least 1', of: ({ cores }) => String(Math.max(1, cores - 1)) },
    description:
      'Threads of one model on a CPU. The default leaves a core for sockets, decoding and resizing; cores are ' +
      "those of the container's CPU limit where it has one.",
  },
  'max-batch': {
    type: 'integer',
    min: 0,
    max: 256,
    default: '0',
    description: 'Largest batch of a model, in views; 0 has it follow from the times measured.',
  },
  'warm-up-ms': {
    type: 'milliseconds',
    min: 0,
    max: 10_000,
    default: '10000',
    description: 'Longest time spent at start on measuring the batches of a model.',
  },
  'engine-timeout-ms': {
    type: 'milliseconds',
    min: 100,
    max: 3_600_000,
    default: '60000',
    description:
      'Longest a batch may take, or ten times what was measured for it where that is longer; then the engine counts as ' +
      'stuck, which nothing inside the process cures.',
  },
  'view-threads': {
    type: 'integer',
    min: 1,
    max: 256,
    default: { text: 'cores / 4, at least 1', of: ({ cores }) => String(Math.max(1, Math.floor(cores / 4))) },
    description: 'Threads that decode and resize images and cut views.',
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
      'Images held as pixels at one time, decoding included. Decoding runs on UV_THREADPOOL_SIZE threads.',
  },
  'max-pixels': {
    type: 'integer',
    min: 1,
    max: 1_000_000_000,
    default: String(usualMaxPixels),
    description:
      'Largest image, in pixels, before it is decoded. The default is where Pillow starts to warn of a ' +
      'decompression bomb: 256 MiB as RGB.',
  },
  'max-raster-bytes': {
    type: 'bytes',
    min: 1024,
    max: 2 ** 40,
    default: '1GiB',
    description:
      'Most bytes of images held as pixels at one time, three a pixel; others wait for their turn, and a larger image is ' +
      'held alone.',
  },
  'cache-dir': {
    type: 'text',
    placeholder: 'FOLDER',
    read: readPath,
    default: {
      text: '$XDG_CACHE_HOME/siglip-hd, or ~/.cache/siglip-hd',
      of: ({ cacheHome }) => join(cacheHome, 'siglip-hd'),
    },
    description: 'Where the embedded default model is made and kept.',
  },
} as const satisfies Settings;

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

/** How much is logged, and how it is written. */
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
    description: 'JSON is one object a line; auto is pretty on a terminal and JSON elsewhere.',
  },
} as const satisfies Settings;

/** The same for commands whose output is what they are run for. */
export const quietLogSettings = {
  ...logSettings,
  'log-level': { ...logSettings['log-level'], default: 'warn' },
} as const satisfies Settings;
