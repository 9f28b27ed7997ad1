import { quoted } from '../../errors/quoted.ts';
import { ServiceError } from '../../errors/service-error.ts';

/** An infer request of the Open Inference Protocol, as either transport reads it. */
export interface InferRequest {
  readonly modelName: string;
  /** Empty if the caller leaves it to the service. */
  readonly modelVersion: string;
  /** The answer has the same. */
  readonly id: string;
  readonly parameters: Parameters;
  readonly inputs: readonly InferInput[];
  /** Empty if the caller names none. */
  readonly outputs: readonly RequestedOutput[];
}

export type ParameterValue = string | number | boolean;
export type Parameters = ReadonlyMap<string, ParameterValue>;

export interface InferInput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters: Parameters;
  readonly data: TensorData;
}

export interface RequestedOutput {
  readonly name: string;
  readonly parameters: Parameters;
}

/** The elements of an input, as they arrived. */
export type TensorData =
  | { readonly kind: 'none' }
  /** Row-major, little-endian; each element of BYTES after its length. */
  | { readonly kind: 'raw'; readonly bytes: Uint8Array }
  /** Elements of BYTES. */
  | { readonly kind: 'elements'; readonly elements: readonly Uint8Array[] }
  /** Numbers, which are whole and from 0 to 255. */
  | { readonly kind: 'uint8'; readonly bytes: Uint8Array }
  /** Anything else; `what` names it. */
  | { readonly kind: 'other'; readonly what: string };

/** The only version of every model. */
export const modelVersion = '1';

/** Most entries of any list in a request, so that a small message cannot become a large object. */
export const mostEntries = 1024;

/** Most characters of an id, which the answer repeats. */
export const longestId = 1024;

export function invalid(message: string): ServiceError {
  return new ServiceError('invalid_argument', message);
}

/** A name from a caller, safe and short enough to repeat in a message. */
export function quotedName(name: string): string {
  return quoted(name, 64);
}

/** Refuses data that lies in memory that client and server share, which this service does not do. */
export function refuseSharedMemory(name: string, parameters: Parameters): void {
  if (!parameters.has('shared_memory_region')) return;
  throw invalid(
    `The tensor ${quotedName(name)} is in shared memory, which this service does not support: send the data in the request.`,
  );
}
