import { teacherDefaults } from '../../recipes/teacher.ts';
import { command, type Rule } from './command.ts';
import { engineSettings, exifSetting, quietLogSettings } from './engine-settings.ts';
import { readFeatureLayer, readModel, readPositive } from './readers.ts';
import { flagOf } from './recipe-flags.ts';
import { flagsOnly, type Settings, type SettingValues } from './setting.ts';

/** Encoders that one run compares, the teacher not counted: a letter for each. */
const mostEncoders = 25;

const compareSettings = {
  ...flagsOnly({
    model: {
      type: 'repeated',
      placeholder: '[NAME=]MODEL',
      read: readModel,
      description:
        'An encoder to compare with others of any grid and width, by nearest neighbours and CKA instead of token by token. ' +
        'Give it twice or more; every operand is then an IMAGE.',
    },
    sheet: {
      type: 'optional',
      placeholder: 'FILE.html',
      needs: ['model'],
      description:
        'With --model: writes one HTML file with the figures and the tokens of the first 12 images as colours. It needs no ' +
        'network.',
    },
    'max-tokens': {
      type: 'integer',
      min: 64,
      max: 4096,
      default: '2048',
      needs: ['model'],
      description:
        'With --model: places at which tokens are compared, spread evenly over all images if there are more. Time and memory ' +
        'grow with its square.',
    },
    'teacher-of': {
      type: 'optional',
      placeholder: '[NAME=]MODEL_B',
      read: readModel,
      description:
        "Compares MODEL_A's Encode with the TeacherEncode of this model, which then does not precede the images. For " +
        'SigLIP-HD and the frozen SigLIP 2 this is the distance that the paper trains to be small. The ' +
        "teacher's tokens are resized to MODEL_A's grid. With --model, this TeacherEncode is the last encoder, at its own grid.",
    },
    scales: flagOf('teacher', 'scales', 'teacher-of'),
    weights: flagOf('teacher', 'weights', 'teacher-of'),
    windows: {
      type: 'choice',
      // `whole` would need a third model.
      choices: ['tiles', 'half_overlap'],
      default: teacherDefaults.windows,
      needs: ['teacher-of'],
      description: "How the teacher's scales are cut into views.",
    },
    out: {
      type: 'optional',
      placeholder: 'FOLDER',
      description:
        'Folder for a heat map of each image, IMAGE.heat-map.png: 1 - cosine of each token, drawn over the image, on ' +
        'one scale for all images. Without it none are drawn.',
    },
    'heat-max': {
      type: 'optional',
      placeholder: 'DISTANCE',
      read: readPositive(2),
      needs: ['out'],
      description:
        "Distance at the end of the heat maps' scale; set it to compare runs. By default the distance that one token " +
        'in a hundred exceeds, rounded up to 1, 2 or 5 times a power of ten.',
    },
    features: {
      type: 'optional',
      placeholder: 'LAYER',
      read: readFeatureLayer,
      description:
        'Hidden state to compare, of every model: last_hidden_state, pre_norm, penultimate, or -3 and lower, counted from the ' +
        "end. The models must have been imported with it. By default each model's first.",
    },
    json: {
      type: 'boolean',
      description: 'Writes one JSON object instead of a table.',
    },
    exif: exifSetting,
  }),
  device: engineSettings.device,
  threads: engineSettings.threads,
  'max-pixels': engineSettings['max-pixels'],
  ...quietLogSettings,
} as const satisfies Settings;

export type CompareSettings = SettingValues<typeof compareSettings>;

const compareRules: readonly Rule<CompareSettings>[] = [
  {
    of: ['models'],
    problems({ models, teacherOf, out, sheet }) {
      if (models.length === 0) return [];
      return [
        ...(sheet === undefined || /\.html?$/i.test(sheet)
          ? []
          : [`--sheet ${sheet} must end in .html: it is a page.`]),
        ...(models.length === 1 && teacherOf === undefined
          ? ['--model is given once; give it for each encoder, or add --teacher-of.']
          : []),
        ...(models.length > mostEncoders ? [`--model is given more than ${mostEncoders} times.`] : []),
        ...(out === undefined
          ? []
          : ['--out is for two models compared token by token; with --model, use --sheet.']),
      ];
    },
  },
];

/** Measures how far apart the tokens of two models are, or how alike several encoders see. */
export const compareCommand = command({
  name: 'compare',
  usage: 'compare (MODEL_A (MODEL_B | --teacher-of MODEL_B) | --model MODEL...) IMAGE...',
  summary:
    'Encodes images (files, folders with all below them, patterns, and with - the paths on stdin) with two model folders ' +
    'and reports how far apart their tokens are: the cosine and the difference of each pair of tokens, and the speed of each ' +
    'model. All models must resize images alike (import --resize). With --model for each of two or more model folders, ' +
    'whose grids and widths may differ, it reports how far each pair of encoders agrees on nearest neighbours, and their ' +
    'CKA. An image that fails is reported; the others are still compared.',
  operands: { placeholder: 'MODEL_A, a MODEL_B and an IMAGE', min: 1, max: Number.POSITIVE_INFINITY },
  settings: compareSettings,
  rules: compareRules,
});
