import { featureLayers, precisions } from '../model/model.ts';
import { teacherDefaults } from '../recipes/teacher.ts';
import { tokenDtypes } from '../tokens/tensor.ts';
import { compareRules, encodeRules, importRules, type Rule, serveRules } from './contradictions.ts';
import { engineSettings, logSettings } from './engine-settings.ts';
import type { Settings, SettingValues } from './setting.ts';
import {
  readCosine,
  readDistance,
  readHost,
  readImageSize,
  readModel,
  readModelName,
  readNumbers,
  readPath,
  readResize,
  readRevision,
} from './values.ts';

/** What a command is given. --help and docs/configuration.md are made from it. */
export interface CommandOutline {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  /** Arguments that are not flags. */
  readonly operands: { readonly placeholder: string; readonly min: number; readonly max: number };
  readonly settings: Settings;
}

/** The same with the types of its settings. */
export interface CommandSchema<T extends Settings> extends CommandOutline {
  readonly settings: T;
  /** What its values must hold together. */
  readonly rules: readonly Rule<SettingValues<T>>[];
}

function command<const T extends Settings>(schema: CommandSchema<T>): CommandSchema<T> {
  return schema;
}

const noOperands = { placeholder: '', min: 0, max: 0 };

/** Runs the service. */
export const serveCommand = command({
  name: 'serve',
  usage: 'serve [--model [NAME=]FOLDER]... [OPTION]...',
  summary:
    'Serves visual tokens over HTTP and gRPC until SIGTERM, SIGINT or SIGHUP, then finishes what is in flight.',
  operands: noOperands,
  settings: {
    host: {
      type: 'text',
      placeholder: 'ADDRESS',
      read: readHost,
      default: '0.0.0.0',
      description:
        'Address to listen on. The default is every IPv4 address, as a container needs; 127.0.0.1 keeps the ' +
        'service to this machine, :: adds IPv6.',
    },
    'http-port': {
      type: 'integer',
      min: 0,
      max: 65_535,
      default: '8080',
      description: 'Port of HTTP; 0 takes a free one.',
    },
    'grpc-port': {
      type: 'integer',
      min: 0,
      max: 65_535,
      default: '50051',
      description: 'Port of gRPC; 0 takes a free one.',
    },
    ...engineSettings,
    teacher: {
      type: 'optional',
      placeholder: 'NAME',
      read: readModelName,
      description:
        'Served model that TeacherEncode uses where a request names none. In the paper it is the frozen SigLIP 2, not ' +
        'SigLIP-HD. The default model when absent.',
    },
    'max-answer-bytes': {
      type: 'bytes',
      min: 1024,
      max: 2 ** 40,
      default: '256MiB',
      description:
        'Largest answer, in bytes of tokens; it is known from the plan and refused before any work.',
    },
    'max-body-bytes': {
      type: 'bytes',
      min: 1024,
      max: 2 ** 30,
      default: '20MiB',
      description: 'Largest body of an HTTP request and largest gRPC message that is received.',
    },
    'max-inflight-bytes': {
      type: 'bytes',
      min: 1024,
      max: 2 ** 40,
      default: '512MiB',
      description:
        'Most bytes of HTTP bodies at one time, from before they are read until their images are encoded; a body that does not ' +
        'fit is refused before it is read. A body of unknown length counts as the largest.',
    },
    'max-images': {
      type: 'integer',
      min: 1,
      max: 1024,
      default: '16',
      description: 'Most images in one request.',
    },
    'max-queued-views': {
      type: 'integer',
      min: 1,
      max: 65_536,
      default: '512',
      description:
        'Most views between admission and answer, over all models; a request that does not fit is refused at once.',
    },
    'request-timeout-ms': {
      type: 'milliseconds',
      min: 1,
      max: 3_600_000,
      default: '60000',
      description: 'Longest a request may take; a shorter deadline of the caller holds as well.',
    },
    'drain-grace-ms': {
      type: 'milliseconds',
      min: 0,
      max: 3_600_000,
      default: '25000',
      description:
        "How long requests in flight may take after SIGTERM; the default stays under Kubernetes' 30 seconds.",
    },
    ...logSettings,
  },
  rules: serveRules,
});

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
      type: 'text',
      placeholder: 'NUMBER',
      read: readCosine,
      default: '0.99',
      flagOnly: true,
      description:
        'Mean cosine between the tokens of int8 and of fp32 that the import must reach, above 0 and at most 1: matrices stay in fp32, ' +
        'the worst first, until it does.',
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
    ...logSettings,
  },
  rules: encodeRules,
});

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
    ...logSettings,
  },
  rules: compareRules,
});

/** The benchmark, which reads its arguments itself. */
export const benchOutline = {
  name: 'bench',
  summary: 'Measures the service. Only in a clone: npm run bench.',
};

/** Every command that has settings. */
export const commands: readonly CommandOutline[] = [
  serveCommand,
  importCommand,
  encodeCommand,
  compareCommand,
];

export type ServeSettings = SettingValues<typeof serveCommand.settings>;
export type ImportSettings = SettingValues<typeof importCommand.settings>;
export type EncodeSettings = SettingValues<typeof encodeCommand.settings>;
export type CompareSettings = SettingValues<typeof compareCommand.settings>;
