import { status } from '@grpc/grpc-js';
import type { ServiceError } from '../../errors/service-error.ts';
import type {
  ModelConfigResponse__Output,
  ModelMetadataResponse__Output,
  ModelReadyResponse__Output,
  ServerLiveResponse__Output,
  ServerMetadataResponse__Output,
  ServerReadyResponse__Output,
} from '../../open-inference/generated/open-inference.ts';
import { CallFailure, type Connection } from './connection.ts';
import { EngineDown } from './engine-down.ts';
import { fits } from './infer-message.ts';
import { digestParameter, outputTensors, type RemoteTensor, type Signature } from '../../model/signature.ts';

/** The model that a server must have. */
export interface WantedModel {
  /** Its name on the server. */
  readonly name: string;
  readonly signature: Signature;
  readonly digest: string;
}

/** What a server says of itself and of the model. */
export interface ExaminedModel {
  /** The server's name and version, for the log. */
  readonly server: string;
  /** The largest batch that it takes; undefined where it sets no limit. */
  readonly largest: number | undefined;
  /** Whether the server states the model's digest, which then matches. */
  readonly toldDigest: boolean;
}

/** Longest time for a server to answer a question that runs nothing. */
const answerMs = 5000;

/** Longest time of {@link examineModel}, which asks six questions. */
export const examineMs = 6 * answerMs;

/**
 * Asks a server whether its model is ready, and compares what it says with model.json. Rejects with EngineDown when it is
 * not ready or its model is another one.
 */
export async function examineModel(connection: Connection, wanted: WantedModel): Promise<ExaminedModel> {
  const ask = async <Response>(method: string, request: object = {}) =>
    await connection.call<Response>(method, request, answerMs);
  const { live } = await ask<ServerLiveResponse__Output>('ServerLive');
  if (!live) throw new EngineDown('is not live');
  const server = await ask<ServerMetadataResponse__Output>('ServerMetadata');
  if (server.name === 'siglip-hd') {
    const sentence = `${connection.url} is a siglip-hd service, not a model server; --remote-engine needs one, such as Triton.`;
    throw new EngineDown('is a siglip-hd service', { cause: new Error(sentence), isUnfit: true });
  }
  const { ready } = await ask<ServerReadyResponse__Output>('ServerReady');
  if (!ready) throw new EngineDown('is not ready');
  const model = { name: wanted.name };
  const { ready: modelReady } = await ask<ModelReadyResponse__Output>('ModelReady', model);
  if (!modelReady) throw new EngineDown(`is not ready with its model ${wanted.name}`);
  const metadata = await ask<ModelMetadataResponse__Output>('ModelMetadata', model);
  const config = await ask<ModelConfigResponse__Output>('ModelConfig', model).catch(unlessUnknown);
  requireTensors(wanted, metadata);
  const digest = config?.config?.parameters[digestParameter]?.stringValue;
  if (digest !== undefined && digest !== wanted.digest) {
    throw mismatch(wanted, `was made from the model folder ${digest}, not from ${wanted.digest}`);
  }
  return {
    server: [server.name, server.version].filter((part) => part !== '').join(' '),
    largest: largestBatch(wanted, metadata, config),
    toldDigest: digest !== undefined,
  };
}

/** ModelConfig is Triton's own; other servers do not have it. */
function unlessUnknown(error: unknown): undefined {
  const { cause } = error as ServiceError;
  if (cause instanceof CallFailure && cause.status === status.UNIMPLEMENTED) return undefined;
  throw error;
}

/** MLServer and KServe name no tensors unless they are told to. Then the answer to the first batch is checked instead. */
function requireTensors(wanted: WantedModel, { inputs, outputs }: ModelMetadataResponse__Output): void {
  if (inputs.length > 0) requireTensor(wanted, 'input', inputs, wanted.signature.input);
  if (outputs.length === 0) return;
  for (const tensor of outputTensors(wanted.signature)) requireTensor(wanted, 'output', outputs, tensor);
}

function requireTensor(
  wanted: WantedModel,
  kind: 'input' | 'output',
  tensors: ModelMetadataResponse__Output['inputs'],
  { name, datatype, dims }: RemoteTensor,
): void {
  const given = tensors.find((tensor) => tensor.name === name);
  const expected = `${datatype} [-1, ${dims.join(', ')}]`.replace(', ]', ']');
  if (given === undefined) throw mismatch(wanted, `has no ${kind} ${name}, which is ${expected}`);
  // A server may leave a dimension open; the answer to the first batch shows it.
  const shape = given.shape.map((size, index) => (size === -1 ? ([-1, ...dims][index] ?? -1) : size));
  if (given.datatype === datatype && fits(shape, [-1, ...dims])) return;
  throw mismatch(
    wanted,
    `has the ${kind} ${name} as ${given.datatype} [${given.shape.join(', ')}], not ${expected}`,
  );
}

function largestBatch(
  wanted: WantedModel,
  { inputs }: ModelMetadataResponse__Output,
  config: ModelConfigResponse__Output | undefined,
): number | undefined {
  const told = config?.config?.maxBatchSize ?? 0;
  if (told > 0) return told;
  const [first = -1] = inputs.find(({ name }) => name === wanted.signature.input.name)?.shape ?? [];
  if (first === -1) return undefined;
  if (first === 1) return 1;
  throw mismatch(wanted, `takes only batches of exactly ${first}; its first dimension must be -1`);
}

function mismatch({ name }: WantedModel, difference: string): EngineDown {
  const sentence =
    `The remote engine's model ${name} ${difference}. ` +
    'Serve there what `siglip-hd export-triton` makes of the same folder.';
  return new EngineDown('serves another model', { cause: new Error(sentence), isUnfit: true });
}
