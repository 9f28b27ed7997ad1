import { featureLayers, precisions } from '../../model/model.ts';
import { command, type Rule } from './command.ts';
import { readFeatures, readPositive, readResize, readRevision, readWholeNumber } from './readers.ts';
import { flagsOnly, type SettingValues } from './setting.ts';

/** Most calibration pictures: all are in memory, some 15 MB each at So400m's size. */
const mostPictures = 64;

const importSettings = flagsOnly({
  out: {
    type: 'text',
    placeholder: 'FOLDER',
    description: 'Model folder to make.',
  },
  revision: {
    type: 'optional',
    placeholder: 'NAME',
    read: readRevision,
    description:
      'Branch, tag or commit of a repository on the hub; main by default. model.json records the commit.',
  },
  precision: {
    type: 'choice',
    choices: precisions,
    default: 'fp32',
    description:
      'Precision of weights and arithmetic: fp16 for GPUs (it gains nothing on a CPU); int8 for CPUs with AVX-512 ' +
      'VNNI or AVX-VNNI, and not for GPUs.',
  },
  'min-cosine': {
    type: 'text',
    placeholder: 'NUMBER',
    default: '0.99',
    read: readPositive(1),
    needs: ['precision int8'],
    description:
      'Mean cosine between int8 and fp32 tokens that the import must reach, above 0 and at most 1. Matrices stay in ' +
      'fp32, the worst first, until it does.',
  },
  calibrate: {
    type: 'repeated',
    placeholder: 'FILE',
    needs: ['precision int8'],
    description:
      'Image on which int8 is measured; repeat the flag for several, 64 at most. By default two synthetic pictures ' +
      'are used; photographs of your own measure better.',
  },
  features: {
    type: 'optional',
    placeholder: 'LAYER[,LAYER]...',
    read: readFeatures,
    description:
      `Hidden states that requests can choose, the default first: ${featureLayers.join(', ')}, or -3 and lower, counted from ` +
      'the end. By default the one that the projector takes, or last_hidden_state where there is no projector.',
  },
  'class-token': {
    type: 'boolean',
    description: "Lets requests have CLIP's class token before the patches' tokens (class_token=true).",
  },
  pooled: {
    type: 'boolean',
    description:
      "Lets requests have one vector for an image (output=pooled): that of SigLIP's attention pooling head, or CLIP's " +
      'projected class token.',
  },
  projector: {
    type: 'optional',
    placeholder: 'SOURCE',
    description:
      'Checkpoint whose projector is taken: a folder, a file mm_projector.safetensors or mm_projector.bin, or a ' +
      'repository on the hub. It must have been trained on features like those of SOURCE.',
  },
  'tower-only': {
    type: 'boolean',
    description:
      'Imports the vision tower of a vision language model without its projector; the model then gives features and no ' +
      'embeddings.',
  },
  'image-size': {
    type: 'optional',
    placeholder: 'PIXELS',
    read: readWholeNumber(1, 4096),
    description:
      'Side of a view. The position embeddings are interpolated to it, as transformers does. 518 makes CLIP ' +
      "L/14-336 the student of the paper's CLIP-HD; 1024 makes SigLIP 2 the second model that TeacherEncode's " +
      "windows=whole needs. By default the size of the checkpoint's image processor.",
  },
  resize: {
    type: 'optional',
    placeholder: 'squash|crop',
    read: readResize,
    description:
      'How Encode makes an image square: squash resizes both sides; crop resizes the shorter side and keeps the ' +
      "middle of the longer one. By default as the checkpoint's image processor does.",
  },
  force: {
    type: 'boolean',
    description: 'Replaces an existing model folder.',
  },
});

export type ImportSettings = SettingValues<typeof importSettings>;

const rules: readonly Rule<ImportSettings>[] = [
  {
    of: ['projector', 'towerOnly'],
    problems: ({ projector, towerOnly }) =>
      projector !== undefined && towerOnly ? ['--projector and --tower-only exclude each other.'] : [],
  },
  {
    of: ['calibrates'],
    problems: ({ calibrates: { length } }) =>
      length <= mostPictures
        ? []
        : [
            `--calibrate is given ${length} times; it takes ${mostPictures} at most, as all are held in memory.`,
          ],
  },
];

/** Makes a model folder from a checkpoint. */
export const importCommand = command({
  name: 'import',
  usage: 'import SOURCE --out FOLDER [OPTION]...',
  summary:
    'Makes a model folder from SOURCE: a Hugging Face checkpoint folder; an ONNX export of the vision model, a .onnx ' +
    'file with its JSON files beside it or in the folder above; or, if there is no such file or folder, a repository ' +
    "on the hub, OWNER/NAME. A repository is downloaded into the hub's cache, as Python's huggingface_hub does, and " +
    'HF_TOKEN, HF_HOME, HTTPS_PROXY and the like have their usual effect. See docs/models.md and docs/hub.md.',
  operands: { placeholder: 'SOURCE', min: 1, max: 1 },
  settings: importSettings,
  rules,
});
