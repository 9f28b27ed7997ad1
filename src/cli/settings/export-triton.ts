import { command } from './command.ts';
import { readModelName } from './readers.ts';
import { flagsOnly, type SettingValues } from './setting.ts';

const exportSettings = flagsOnly({
  out: {
    type: 'text',
    placeholder: 'REPOSITORY',
    description: 'Model repository to write to; it is made if it does not exist.',
  },
  name: {
    type: 'optional',
    placeholder: 'NAME',
    read: readModelName,
    description: "The model's name in the repository; that of the folder by default.",
  },
  'max-batch': {
    type: 'integer',
    min: 1,
    max: 256,
    default: '16',
    description:
      'Largest batch that Triton takes, in views. int8 and exported models always take 1: their views run one by one.',
  },
  tensorrt: {
    type: 'boolean',
    description:
      'Lets ONNX Runtime in Triton use TensorRT where it can, and CUDA for the rest. The first load then takes minutes.',
  },
  force: {
    type: 'boolean',
    description: 'Replaces models of the same names.',
  },
});

export type ExportTritonSettings = SettingValues<typeof exportSettings>;

/** Writes a Triton model repository. */
export const exportTritonCommand = command({
  name: 'export-triton',
  usage: 'export-triton FOLDER --out REPOSITORY [OPTION]...',
  summary:
    'Writes the model folder FOLDER, which import made, as models of a Triton model repository, so that ' +
    '`serve --remote-engine` can send views to Triton. Weights are hard links where the file system has them. See ' +
    'docs/scaling.md.',
  operands: { placeholder: 'FOLDER', min: 1, max: 1 },
  settings: exportSettings,
  rules: [],
});
