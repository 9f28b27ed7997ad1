import { featureLayers, precisions } from '../../model/model.ts';
import { importRules } from './contradictions.ts';
import { readCosine, readImageSize, readPath, readResize, readRevision } from './readers.ts';
import { command } from './command.ts';
import type { SettingValues } from './setting.ts';

/** What int8 must reach where the command line does not say. */
export const defaultMinCosine = 0.99;

/** Makes a model folder of a checkpoint. */
export const importCommand = command({
  name: 'import',
  usage: 'import SOURCE --out FOLDER [OPTION]...',
  summary:
    'Makes a model folder of SOURCE, a checkpoint folder from Hugging Face: config.json, ' +
    'preprocessor_config.json, and model.safetensors or its shards; or of an ONNX export of the vision model, a ' +
    '.onnx file with the two JSON files beside it or in the folder above. Where there is no file or folder SOURCE, it is a ' +
    "repository on the hub, OWNER/NAME, whose files are downloaded into the hub's cache; HF_TOKEN, HF_ENDPOINT, HF_HOME, " +
    'HF_HUB_CACHE and HF_HUB_OFFLINE are honoured.',
  operands: { placeholder: 'SOURCE', min: 1, max: 1 },
  settings: {
    out: {
      type: 'text',
      placeholder: 'FOLDER',
      read: readPath,
      flagOnly: true,
      description: 'Model folder to make.',
    },
    revision: {
      type: 'optional',
      placeholder: 'NAME',
      read: readRevision,
      flagOnly: true,
      description:
        'Branch, tag or commit of a repository on the hub; main when absent. model.json keeps the commit.',
    },
    precision: {
      type: 'choice',
      choices: precisions,
      default: 'fp32',
      flagOnly: true,
      description:
        'Precision of weights and arithmetic: fp16 for a GPU (it brings nothing on a CPU); int8 for a CPU with ' +
        'AVX-512 VNNI or AVX-VNNI, and for no GPU.',
    },
    'min-cosine': {
      type: 'optional',
      placeholder: 'NUMBER',
      read: readCosine,
      flagOnly: true,
      description:
        'Mean cosine between the tokens of int8 and of fp32 that the import must reach, above 0 and at most 1: matrices stay in fp32, ' +
        `the worst first, until it does. ${defaultMinCosine} when absent.`,
    },
    calibrate: {
      type: 'repeated',
      placeholder: 'FILE',
      read: readPath,
      flagOnly: true,
      description:
        'Image that int8 is measured on; repeat it for several, 64 at most. Two made-up pictures when absent: photographs of your ' +
        'own tell more.',
    },
    features: {
      type: 'choice',
      choices: featureLayers,
      default: 'last_hidden_state',
      flagOnly: true,
      description: 'Hidden state that the tokens are; penultimate is what LLaVA-NeXT uses.',
    },
    'image-size': {
      type: 'optional',
      placeholder: 'PIXELS',
      read: readImageSize,
      flagOnly: true,
      description:
        "Side of a view; the model's positions are interpolated to it, as transformers does. 518 makes CLIP L/14-336 the " +
        "student of the paper's CLIP-HD, 1024 makes SigLIP 2 the model of TeacherEncode's windows=whole. The " +
        "checkpoint's own when absent.",
    },
    resize: {
      type: 'optional',
      placeholder: 'squash|crop',
      read: readResize,
      flagOnly: true,
      description:
        'How Encode makes an image square: both sides resized, or the shorter one resized and the middle of the longer ' +
        "one kept. What the checkpoint's preprocessor_config.json says when absent.",
    },
    force: {
      type: 'boolean',
      flagOnly: true,
      description: 'Replaces a model folder that is there already.',
    },
  },
  rules: importRules,
});

export type ImportSettings = SettingValues<typeof importCommand.settings>;
