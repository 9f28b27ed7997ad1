import { teacherDefaults } from '../../recipes/teacher.ts';
import { command, type Rule } from './command.ts';
import { engineSettings, quietLogSettings } from './engine-settings.ts';
import { readDistance, readModel, readNumbers, readPath } from './readers.ts';
import type { Settings, SettingValues } from './setting.ts';

const compareSettings = {
  'teacher-of': {
    type: 'optional',
    placeholder: '[NAME=]MODEL_B',
    read: readModel,
    flagOnly: true,
    description:
      "Compares MODEL_A's Encode with the TeacherEncode of this model, which then does not precede the images. For " +
      'SigLIP-HD and the frozen SigLIP 2 this is the distance that the paper trains to be small. The ' +
      "teacher's tokens are resized to MODEL_A's grid.",
  },
  scales: {
    type: 'optional',
    placeholder: 'PX,...',
    read: readNumbers,
    flagOnly: true,
    description:
      "Sides of the squares to which the teacher resizes an image. By default the model's image size and twice " +
      'that, as in the paper.',
  },
  weights: {
    type: 'optional',
    placeholder: 'N,...',
    read: readNumbers,
    flagOnly: true,
    description: "Weight of each scale in the teacher's average. Equal by default, as in the paper.",
  },
  windows: {
    type: 'choice',
    // `whole` would need a third model.
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
      'Folder for a heat map of each image, IMAGE.heat-map.png: 1 - cosine of each token, drawn over the image, on ' +
      'one scale for all images. Without it none are drawn.',
  },
  'heat-max': {
    type: 'optional',
    placeholder: 'DISTANCE',
    read: readDistance,
    flagOnly: true,
    description:
      "Distance at the end of the heat maps' scale; set it to compare runs. By default the distance that one token " +
      'in a hundred exceeds, rounded up to 1, 2 or 5 times a power of ten.',
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
    description: 'Whether to rotate and flip images by the orientation in their EXIF, XMP or PNG texts.',
  },
  device: engineSettings.device,
  threads: engineSettings.threads,
  'max-pixels': engineSettings['max-pixels'],
  ...quietLogSettings,
} as const satisfies Settings;

export type CompareSettings = SettingValues<typeof compareSettings>;

const compareRules: readonly Rule<CompareSettings>[] = [
  {
    of: ['windows'],
    problems({ teacherOf, scales, weights, windows }) {
      if (teacherOf !== undefined) return [];
      const given = [
        ...(scales === undefined ? [] : ['--scales']),
        ...(weights === undefined ? [] : ['--weights']),
        ...(windows === teacherDefaults.windows ? [] : ['--windows']),
      ];
      return given.map((flag) => `${flag} is an option of a teacher; it needs --teacher-of.`);
    },
  },
  {
    of: ['heatMax'],
    problems: ({ out }) => (out === undefined ? ['--heat-max is for heat maps; it needs --out.'] : []),
  },
];

/** Measures how far apart the tokens of two models are. */
export const compareCommand = command({
  name: 'compare',
  usage: 'compare MODEL_A (MODEL_B | --teacher-of MODEL_B) IMAGE... [OPTION]...',
  summary:
    'Encodes image files with two model folders and reports how far apart their tokens are: the cosine and the ' +
    'difference of each pair of tokens, and the speed of each model. An image that fails is reported; the others are ' +
    'still compared.',
  operands: {
    placeholder: 'MODEL_A, a MODEL_B or --teacher-of, and an IMAGE',
    min: 2,
    max: Number.POSITIVE_INFINITY,
  },
  settings: compareSettings,
  rules: compareRules,
});
