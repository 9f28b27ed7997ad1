import { copyFile, link, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import { systemReason } from '../../errors/system-reason.ts';
import { exportGraphs, graphFile, projectorFile, weightsFile } from '../graph-io.ts';
import { makeFolder } from '../import/publish-folder.ts';
import { type Model, oneByOne } from '../model.ts';
import {
  digestParameter,
  encoderSignature,
  outputTensors,
  projectorSignature,
  projectorSuffix,
  type RemoteTensor,
  type Signature,
} from '../signature.ts';
import { configText, type TritonConfig } from './config.ts';

export interface TritonExport {
  /** The model repository. */
  readonly out: string;
  /** The model's name in it. */
  readonly name: string;
  /** The largest batch; 1 for a model whose views must run one by one. */
  readonly maxBatch: number;
  /** Whether ONNX Runtime there has TensorRT run what it can. */
  readonly tensorrt: boolean;
  /** Whether to replace models of the same names. */
  readonly force: boolean;
  /** Reads what the graph at a path takes and gives first. */
  readonly readPorts: (
    path: string,
  ) => Promise<{ readonly input: RemoteTensor; readonly output: RemoteTensor }>;
}

/** A model of the repository: its configuration, and what its version folder has. */
interface RepositoryModel {
  readonly config: TritonConfig;
  /** Files of the model folder. */
  readonly files: readonly string[];
}

/**
 * Writes a Triton model repository that runs a model folder's graphs as this service does, and returns the names of its
 * models, the one to ask for first. Files are hard links where the file system has them. Rejects with `invalid_argument`
 * if the repository has a model of such a name or cannot be written.
 */
export async function exportRepository(
  model: Model,
  files: readonly string[],
  options: TritonExport,
): Promise<readonly string[]> {
  const repository = resolve(options.out);
  const models = [...(await encoderModels(model, files, options)), ...projectorModels(model, options)];
  await makeFolder(repository);
  const present = new Set(await readdir(repository));
  const taken = models.find(({ config }) => present.has(config.name));
  if (taken !== undefined && !options.force) {
    throw invalidArgument(
      `${join(repository, taken.config.name)} exists already; choose another --name, or replace it with --force.`,
    );
  }
  for (const one of models) await writeModel(model.folder, repository, one);
  return models.map(({ config }) => config.name);
}

async function encoderModels(
  model: Model,
  files: readonly string[],
  options: TritonExport,
): Promise<RepositoryModel[]> {
  const { name, tensorrt } = options;
  const maxBatch = oneByOne.has(model.precision) ? 1 : options.maxBatch;
  const whole = {
    name,
    maxBatch,
    ...tensorsOf(encoderSignature(model)),
    parameters: { [digestParameter]: model.digest },
  };
  if (model.graphs === undefined) {
    const run = { kind: 'onnxruntime', file: graphFile, tensorrt } as const;
    return [{ config: { ...whole, run }, files: [graphFile, weightsFile] }];
  }
  const [before, encoder, after] = exportGraphs;
  const { output: toEncoder } = await options.readPorts(join(model.folder, before));
  const { input: fromEncoder } = await options.readPorts(join(model.folder, after));
  const weights = files.filter((file) => file !== before && file !== after);
  const { inputs, outputs } = whole;
  const steps = [
    { graph: before, files: [before], name: `${name}_before`, inputs, outputs: [toEncoder] },
    { graph: encoder, files: weights, name: `${name}_encoder`, inputs: [toEncoder], outputs: [fromEncoder] },
    { graph: after, files: [after], name: `${name}_after`, inputs: [fromEncoder], outputs },
  ];
  const partOf = ({ graph, files: own, ...step }: (typeof steps)[number]): RepositoryModel => {
    const run = { kind: 'onnxruntime', file: graph, tensorrt: tensorrt && graph === encoder } as const;
    return { config: { ...step, maxBatch, parameters: {}, run }, files: own };
  };
  return [{ config: { ...whole, run: { kind: 'ensemble', steps } }, files: [] }, ...steps.map(partOf)];
}

function projectorModels(model: Model, { name }: TritonExport): RepositoryModel[] {
  if (model.projector === undefined) return [];
  const config: TritonConfig = {
    name: `${name}${projectorSuffix}`,
    // Maps may differ in length, so each runs alone.
    maxBatch: 1,
    ...tensorsOf(projectorSignature(model, model.projector)),
    run: { kind: 'onnxruntime', file: projectorFile, tensorrt: false },
    parameters: { [digestParameter]: model.digest },
  };
  return [{ config, files: [projectorFile, weightsFile] }];
}

function tensorsOf(signature: Signature): Pick<TritonConfig, 'inputs' | 'outputs'> {
  return { inputs: [signature.input], outputs: outputTensors(signature) };
}

/** Writes a model beside its place and moves it there, so that Triton never loads one that is half there. */
async function writeModel(
  folder: string,
  repository: string,
  { config, files }: RepositoryModel,
): Promise<void> {
  const target = join(repository, config.name);
  const temporary = join(repository, `.${config.name}.tmp-${process.pid}`);
  try {
    const version = join(temporary, '1');
    await mkdir(version, { recursive: true });
    for (const file of files) {
      await mkdir(dirname(join(version, file)), { recursive: true });
      await linkOrCopy(join(folder, file), join(version, file));
    }
    await writeFile(join(temporary, 'config.pbtxt'), configText(config));
    await rm(target, { recursive: true, force: true });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw invalidArgument(`${target} cannot be written: ${systemReason(error)}.`, error);
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch {
    // Another file system, or one without links: if the file cannot be read, copying says so.
    await copyFile(from, to);
  }
}
