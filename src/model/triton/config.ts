import type { RemoteTensor } from '../signature.ts';

/** One of the models that an ensemble runs. Its tensors have the same names in the ensemble around it. */
export type EnsembleStep = Pick<TritonConfig, 'name' | 'inputs' | 'outputs'>;

/** What runs a model: ONNX Runtime or TensorRT from a file of its version folder, or other models one after another. */
export type TritonRun =
  | { readonly kind: 'onnxruntime'; readonly file: string; readonly tensorrt: boolean }
  | { readonly kind: 'tensorrt'; readonly file: string }
  | { readonly kind: 'ensemble'; readonly steps: readonly EnsembleStep[] };

/** A model's config.pbtxt. */
export interface TritonConfig {
  readonly name: string;
  /** The largest batch. `dims` of the tensors are without it. */
  readonly maxBatch: number;
  readonly inputs: readonly RemoteTensor[];
  readonly outputs: readonly RemoteTensor[];
  readonly run: TritonRun;
  readonly parameters: Readonly<Record<string, string>>;
}

/** The text of config.pbtxt. */
export function configText({ name, maxBatch, inputs, outputs, run, parameters }: TritonConfig): string {
  const lines = [
    `name: ${quoted(name)}`,
    ...runLines(run),
    `max_batch_size: ${maxBatch}`,
    ...inputs.map((tensor) => `input [ ${tensorText(tensor, run)} ]`),
    ...outputs.map((tensor) => `output [ ${tensorText(tensor, run)} ]`),
    ...Object.entries(parameters).map(
      ([key, value]) => `parameters { key: ${quoted(key)} value: { string_value: ${quoted(value)} } }`,
    ),
    ...stepLines(run),
  ];
  return `${lines.join('\n')}\n`;
}

function runLines(run: TritonRun): string[] {
  switch (run.kind) {
    case 'onnxruntime':
      return [
        'backend: "onnxruntime"',
        `default_model_filename: ${quoted(run.file)}`,
        ...acceleratorLines(run),
      ];
    case 'tensorrt':
      return ['platform: "tensorrt_plan"', `default_model_filename: ${quoted(run.file)}`];
    case 'ensemble':
      return ['platform: "ensemble"'];
  }
}

/** ONNX Runtime then has TensorRT run what it can. */
function acceleratorLines({ tensorrt }: Extract<TritonRun, { kind: 'onnxruntime' }>): string[] {
  return tensorrt
    ? ['optimization { execution_accelerators { gpu_execution_accelerator [ { name: "tensorrt" } ] } }']
    : [];
}

function stepLines(run: TritonRun): string[] {
  if (run.kind !== 'ensemble') return [];
  const mapText = (key: string, tensors: readonly RemoteTensor[]): string =>
    tensors.map(({ name }) => `${key} { key: ${quoted(name)} value: ${quoted(name)} }`).join(' ');
  const steps = run.steps.map(
    ({ name, inputs, outputs }) =>
      `  step [ { model_name: ${quoted(name)} model_version: -1 ${mapText('input_map', inputs)} ${mapText('output_map', outputs)} } ]`,
  );
  return ['ensemble_scheduling {', ...steps, '}'];
}

/**
 * Triton wants at least one dimension, so it gives the flags [batch] as [batch, 1]. An ensemble hands on what its models
 * give.
 */
function tensorText({ name, datatype, dims }: RemoteTensor, { kind }: TritonRun): string {
  const type = `name: ${quoted(name)} data_type: TYPE_${datatype}`;
  if (dims.length > 0) return `{ ${type} dims: [ ${dims.join(', ')} ] }`;
  return kind === 'ensemble' ? `{ ${type} dims: [ 1 ] }` : `{ ${type} dims: [ 1 ] reshape: { shape: [ ] } }`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
