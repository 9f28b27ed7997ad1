import { teacherDefaults } from '../../recipes/teacher.ts';
import { compareRules } from './contradictions.ts';
import { engineSettings, quietLogSettings } from './engine-settings.ts';
import { readDistance, readModel, readNumbers, readPath } from './readers.ts';
import { command } from './command.ts';
import type { SettingValues } from './setting.ts';

/** Says how far two models' tokens are apart. */
export const compareCommand = command({
  name: 'compare',
  usage: 'compare MODEL_A (MODEL_B | --teacher-of MODEL_B) IMAGE... [OPTION]...',
  summary:
    'Encodes image files with two model folders and says how far their tokens are apart: the cosine of each pair of ' +
    'tokens, their difference, and the speed of each model. An image that fails is named, and the others are still done.',
  operands: {
    placeholder: 'MODEL_A, a MODEL_B or --teacher-of, and an IMAGE',
    min: 2,
    max: Number.POSITIVE_INFINITY,
  },
  settings: {
    'teacher-of': {
      type: 'optional',
      placeholder: '[NAME=]MODEL_B',
      read: readModel,
      flagOnly: true,
      description:
        "Compares MODEL_A's Encode with the TeacherEncode of this model, which then does not stand before the images. " +
        "With SigLIP-HD against the frozen SigLIP 2 it is the distance that the paper's training makes small. The " +
        "teacher's tokens are brought to MODEL_A's grid.",
    },
    scales: {
      type: 'optional',
      placeholder: 'PX,...',
      read: readNumbers,
      flagOnly: true,
      description:
        "Squares that the teacher's image is resized to; the model's image size and twice that when absent, as in the " +
        'paper.',
    },
    weights: {
      type: 'optional',
      placeholder: 'N,...',
      read: readNumbers,
      flagOnly: true,
      description: "Weight of each scale in the teacher's average; equal when absent, as in the paper.",
    },
    windows: {
      type: 'choice',
      // The whole of a scale takes a third model.
      choices: ['tiles', 'half_overlap'],
      default: teacherDefaults.windows,
      flagOnly: true,
      description: "How the teacher's scales are cut into views.",
    },
    out: {
      type: 'optional',
      placeholder: 'FOLDER',
      read: readPath,
      flagOnly: true,
      description:
        'Folder for a heat map of each image, IMAGE.heat-map.png: 1 - cosine of each token laid over the image. All have ' +
        'one scale. None are drawn when absent.',
    },
    'heat-max': {
      type: 'optional',
      placeholder: 'DISTANCE',
      read: readDistance,
      flagOnly: true,
      description:
        "The distance that has the end of the heat maps' scale, to set runs side by side. When absent, what one token in " +
        'a hundred passes, rounded up to 1, 2 or 5 times a power of ten.',
    },
    json: {
      type: 'boolean',
      flagOnly: true,
      description: 'Writes one JSON object instead of a table.',
    },
    exif: {
      type: 'choice',
      choices: ['apply', 'ignore'],
      default: 'apply',
      flagOnly: true,
      description: 'Whether to turn images as their EXIF orientation says.',
    },
    device: engineSettings.device,
    threads: engineSettings.threads,
    'max-pixels': engineSettings['max-pixels'],
    ...quietLogSettings,
  },
  rules: compareRules,
});

export type CompareSettings = SettingValues<typeof compareCommand.settings>;
