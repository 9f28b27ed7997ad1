import { ServiceError } from '../../errors/service-error.ts';
import type { GraphOutput } from '../../model/graph-io.ts';
import type { ModelInferResponse__Output } from '../../open-inference/generated/ModelInferResponse.ts';
import type { Connection } from './connection.ts';
import type { WantedModel } from './examine-model.ts';
import { inferRequest, joinParts, readInferResponse, type RemoteTokens } from './infer-message.ts';

/** A server's model, which views are sent to. */
export class ConnectedModel {
  readonly #connection: Connection;
  readonly #wanted: WantedModel;
  readonly #largest: number;

  /** `largest` is the largest batch that the server takes. */
  constructor(connection: Connection, wanted: WantedModel, largest = Number.POSITIVE_INFINITY) {
    this.#connection = connection;
    this.#wanted = wanted;
    this.#largest = largest;
  }

  /** Runs a batch, in parts of what the server takes at one time. Each part may take `limitMs`. Rejects as Connection's calls. */
  async run(
    views: readonly Uint8Array<ArrayBuffer>[],
    outputs: readonly GraphOutput[],
    limitMs: number,
  ): Promise<RemoteTokens> {
    if (views.length <= this.#largest) return await this.#infer(views, outputs, limitMs);
    const parts: RemoteTokens[] = [];
    for (let from = 0; from < views.length; from += this.#largest) {
      parts.push(await this.#infer(views.slice(from, from + this.#largest), outputs, limitMs));
    }
    return joinParts(parts, outputs);
  }

  async #infer(
    views: readonly Uint8Array<ArrayBuffer>[],
    outputs: readonly GraphOutput[],
    limitMs: number,
  ): Promise<RemoteTokens> {
    const { name, signature } = this.#wanted;
    const request = inferRequest(name, signature, views, outputs);
    const response = await this.#connection.send<ModelInferResponse__Output>('ModelInfer', request, limitMs);
    try {
      return readInferResponse(response, signature, views.length, outputs);
    } catch (error) {
      const cause = new Error(`${this.#connection.url}: ${(error as Error).message}`);
      throw new ServiceError('unavailable', "The remote engine's answer does not match its model.", {
        cause,
      });
    }
  }
}
