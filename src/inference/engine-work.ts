import { ServiceError } from '../errors/service-error.ts';
import { graphFile, type GraphOutput, projectorFile } from '../model/graph-io.ts';
import { type Model, oneByOne } from '../model/model.ts';
import type { Projector } from '../model/projector.ts';
import { encoderSignature, projectorSignature, projectorSuffix, type Signature } from '../model/signature.ts';
import type { Devices } from './devices.ts';
import type { WorkerStart } from './worker-protocol.ts';

/** What the engines of one batcher run: a model, or its projector. */
export interface EngineWork extends Pick<WorkerStart, 'folder' | 'graphs' | 'input'> {
  /** The model's name in this service, used on a server unless its endpoint names another. */
  readonly model: string;
  /** The model folder's digest. */
  readonly digest: string;
  readonly signature: Signature;
  /** Goes before the names of its engines. */
  readonly prefix: string;
  /** What a server calls it, after the model's name. */
  readonly suffix: string;
  /** A view that any working engine can run. */
  readonly probe: () => Uint8Array<ArrayBuffer>;
  /** The output that takes most time and memory. */
  readonly output: GraphOutput;
  /** The largest batch to run. */
  readonly largest: number;
  /** Whether to always use `largest`, whatever the measured times say. */
  readonly fixed: boolean;
}

/** The largest batch that is chosen by measured times. */
const largestLearned = 32;

/**
 * Pixels to tokens, in batches of `maxBatch` views, or of as many as measured times suggest if it is 0. A model that
 * quantises activations runs one view at a time; in a batch, a view's tokens would depend on the other views.
 */
export function encoderWork(model: Model, maxBatch: number): EngineWork {
  const { name, digest, folder, graphs = [graphFile], imageSize, precision, projector } = model;
  const widest = maxBatch === 0 ? largestLearned : maxBatch;
  return {
    model: name,
    digest,
    signature: encoderSignature(model),
    prefix: '',
    suffix: '',
    folder,
    graphs,
    input: { kind: 'pixels', side: imageSize },
    probe: () => new Uint8Array(imageSize * imageSize * 3),
    output: projector === undefined ? 'float16' : 'embeddings_float16',
    largest: oneByOne.has(precision) ? 1 : widest,
    fixed: maxBatch !== 0,
  };
}

/**
 * Features to embeddings, one map at a time: a map costs a few hundredths of its tower, and maps may differ in length.
 */
export function projectorWork(model: Model, projector: Projector): EngineWork {
  const { name, digest, folder, channels, grid } = model;
  return {
    model: name,
    digest,
    signature: projectorSignature(model, projector),
    prefix: 'projector ',
    suffix: projectorSuffix,
    folder,
    graphs: [projectorFile],
    input: { kind: 'features', channels },
    probe: () => new Uint8Array(grid.width * grid.height * channels * Float32Array.BYTES_PER_ELEMENT),
    output: 'float16',
    largest: 1,
    fixed: true,
  };
}

/** Throws `failed_precondition` for a model that this kind of device cannot run. */
export function requireDevice({ name, precision }: Model, { kind }: Devices): void {
  if (precision !== 'int8' || kind === 'cpu') return;
  throw new ServiceError(
    'failed_precondition',
    `The model "${name}" is int8, which only runs on a CPU; use --device cpu or import it with --precision fp16.`,
  );
}
