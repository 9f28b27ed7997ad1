import type { Model } from '../model/model.ts';
import type { ExitCode } from './exit-code.ts';
import type { ExportTritonSettings } from './settings/export-triton.ts';
import type { Terminal } from './terminal.ts';

export interface ExportTritonParts {
  /** Checks the folder, writes the models, and returns the model and the names of what it wrote. */
  readonly exportTriton: (
    folder: string,
    settings: ExportTritonSettings,
  ) => Promise<{ readonly model: Model; readonly names: readonly string[] }>;
}

/** Writes a model repository, and says on stdout what to do with it. Rejects as loadModelFolder and exportRepository do. */
export async function exportTriton(
  folder: string,
  settings: ExportTritonSettings,
  { stdout }: Pick<Terminal, 'stdout'>,
  parts: ExportTritonParts,
): Promise<ExitCode> {
  const { model, names } = await parts.exportTriton(folder, settings);
  const [name = ''] = names;
  const { out } = settings;
  stdout.write(
    `Wrote ${names.join(', ')} to ${out}, from the model with the digest ${model.digest}.\n` +
      `Run Triton:  tritonserver --model-repository=${out} --disable-auto-complete-config\n` +
      `Then serve:  siglip-hd serve --model ${name}=${folder} --remote-engine ${name}=grpc://HOST:8001\n`,
  );
  if (model.graphs === undefined) return 0;
  // Operators of ONNX alone, which TensorRT reads. The graphs that import writes have fused ones of ONNX Runtime's.
  const part = `${out}/${name}_encoder`;
  stdout.write(
    `For a TensorRT plan, run trtexec on the machine with the GPU, give it the shapes of 1 to ${settings.maxBatch} views, and set ` +
      `platform: "tensorrt_plan" and default_model_filename: "model.plan" in ${part}/config.pbtxt in place of the backend:\n` +
      `  trtexec --onnx=${part}/1/encoder.onnx --saveEngine=${part}/1/model.plan\n`,
  );
  return 0;
}
