// The thread of a remote engine: it sends batches to a server and receives their tokens.
import type { GraphOutput } from '../../model/graph-io.ts';
import type { ModelInferResponse__Output } from '../../open-inference/generated/open-inference.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { type MovedOutcome, taskOutcome } from '../../threads/task-outcome.ts';
import type { RemoteAccess } from './access.ts';
import { Connection } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import { EngineDown } from './engine-down.ts';
import { examineModel, type WantedModel } from './examine-model.ts';
import { inferRequest, joinParts, readInferResponse, type RemoteTokens } from './infer-message.ts';

export interface OpenTask {
  readonly endpoint: Endpoint;
  readonly access: RemoteAccess;
}

export interface InferTask {
  readonly wanted: WantedModel;
  /** All views, one after another. */
  readonly input: Uint8Array;
  readonly views: number;
  readonly outputs: readonly GraphOutput[];
  /** The largest batch that the server takes. */
  readonly largest: number;
  /** The time that the server has for each part of the batch. */
  readonly limitMs: number;
}

/** The result of a task, or why the engine is down: an error loses its class between threads. */
export type RemoteAnswer<Result> =
  | { readonly kind: 'done'; readonly result: Result }
  | ({ readonly kind: 'down' } & Pick<EngineDown, 'reason' | 'cause' | 'isUnfit'>);

let connection: Connection | undefined;

/** Opens a connection, in place of the one before. */
export function open({ endpoint, access }: OpenTask): Promise<MovedOutcome> {
  return answerOf(async () => {
    const next = await Connection.open(endpoint, access);
    connection?.close();
    connection = next;
  });
}

export function examine(wanted: WantedModel): Promise<MovedOutcome> {
  return answerOf(() => examineModel(opened(), wanted));
}

/** Runs a batch, in parts of what the server takes at one time. */
export function infer(task: InferTask): Promise<MovedOutcome> {
  return answerOf(
    () => inferParts(task),
    ({ tokens }) => Object.values(tokens).map(({ buffer }) => buffer),
  );
}

/** Calls under way fail with EngineDown. */
export function close(): Promise<MovedOutcome> {
  return answerOf(() => {
    connection?.close();
    connection = undefined;
  });
}

/** Runs a task. Only a batch may be at fault itself; whatever else is thrown means that the engine is down. */
async function answerOf<Result>(
  task: () => Result | Promise<Result>,
  buffersOf: (result: Result) => readonly ArrayBuffer[] = () => [],
): Promise<MovedOutcome> {
  return await taskOutcome<RemoteAnswer<Result>>(
    async () => {
      try {
        return { kind: 'done', result: await task() };
      } catch (thrown) {
        if (thrown instanceof ServiceError && !(thrown instanceof EngineDown)) throw thrown;
        const { reason, cause, isUnfit } = thrown instanceof EngineDown ? thrown : faulty(thrown);
        return { kind: 'down', reason, cause, isUnfit };
      }
    },
    (answer) => (answer.kind === 'done' ? buffersOf(answer.result) : []),
  );
}

function faulty(thrown: unknown): EngineDown {
  const cause = thrown instanceof Error ? thrown : new Error(String(thrown));
  return new EngineDown('cannot be used because of a fault in this service', { cause });
}

/** A thread that replaces one that died has no connection. */
function opened(): Connection {
  if (connection !== undefined) return connection;
  throw new EngineDown('lost its connection');
}

async function inferParts(task: InferTask): Promise<RemoteTokens> {
  const { input, views, largest, outputs } = task;
  const server = opened();
  if (views <= largest) return await inferPart(server, task);
  const viewBytes = input.byteLength / views;
  const parts: RemoteTokens[] = [];
  for (let from = 0; from < views; from += largest) {
    const until = Math.min(from + largest, views);
    const part = input.subarray(from * viewBytes, until * viewBytes);
    parts.push(await inferPart(server, { ...task, input: part, views: until - from }));
  }
  return joinParts(parts, outputs);
}

async function inferPart(
  server: Connection,
  { wanted: { name, signature }, input, views, outputs, limitMs }: InferTask,
): Promise<RemoteTokens> {
  const request = inferRequest(name, signature, input, views, outputs);
  const response = await server.send<ModelInferResponse__Output>('ModelInfer', request, limitMs);
  try {
    return readInferResponse(response, signature, views, outputs);
  } catch (error) {
    const cause = new Error(`${server.url}: ${(error as Error).message}`);
    throw new EngineDown('gives answers that do not match its model', { cause });
  }
}
