import { readGraphPorts as readPorts } from '../inference/graph-ports.ts';
import { loadModelFolder, modelFiles } from '../model/load-folder.ts';
import { requireWritable } from '../model/import/publish-folder.ts';
import { exportRepository } from '../model/triton/export-repository.ts';
import type { ExitCode } from './exit-code.ts';
import type { ExportTritonSettings } from './settings/export-triton.ts';
import type { Terminal } from './terminal.ts';

/** Writes a model repository, and says on stdout what to do with it. Rejects as loadModelFolder and exportRepository do. */
export async function exportTriton(
  folder: string,
  settings: ExportTritonSettings,
  { stdout }: Pick<Terminal, 'stdout'>,
): Promise<ExitCode> {
  await requireWritable(settings.out);
  const model = await loadModelFolder(folder);
  const files = await modelFiles(folder);
  const names = await exportRepository(model, files, {
    ...settings,
    name: settings.name ?? model.name,
    readPorts,
  });
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
