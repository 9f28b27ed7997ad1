import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { freePort } from '../../bench/processes/free-port.ts';
import {
  digestParameter,
  outputTensors,
  type RemoteTensor,
  type Signature,
} from '../../src/model/signature.ts';
import { openInferencePackage, openInferenceService } from '../../src/open-inference/definition.ts';
import type { ModelInferRequest__Output } from '../../src/open-inference/generated/open-inference.ts';

/** What a call is answered with in place of an answer. */
export interface Refusal {
  readonly code: status;
  readonly details: string;
}

export interface InferenceServerOptions {
  readonly signature: Signature;
  readonly model: string;
  /** As Triton's ModelConfig tells it; other servers have no such method. */
  readonly config?: { readonly maxBatchSize: number; readonly digest?: string } | undefined;
  readonly credentials?: ServerCredentials | undefined;
  /** The port; by default, one that no other test gets. */
  readonly port?: number | undefined;
}

const elementBytes = { UINT8: 1, BOOL: 1, FP16: 2, FP32: 4 } as const;

/**
 * A server of the Open Inference Protocol on the loopback interface. A view's tokens are the view's first byte, again and
 * again; its finite flags are false where that byte is 99. What it says and does can be changed while it runs.
 */
export class InferenceServer {
  readonly options: InferenceServerOptions;
  /** The batches that it was sent, by their numbers of views. */
  readonly batches: number[] = [];
  /** The authorization of every ModelInfer. */
  readonly authorizations: unknown[] = [];
  isReady = true;
  /** What it calls itself. */
  name = 'stub';
  /** The tensors that its metadata names. */
  metadata: { inputs: RemoteTensor[]; outputs: RemoteTensor[] };
  /** What refused batches are answered with; none is refused where it is absent. */
  refusal: Refusal | undefined;
  /** Whether to refuse a batch whose first view begins with this byte. */
  refuses: (first: number) => boolean = () => true;
  /** Resolves before a batch is answered. */
  hold: (() => Promise<void>) | undefined;
  /** Changes an answer. */
  spoil: ((answer: { outputs: object[]; rawOutputContents: Uint8Array[] }) => void) | undefined;
  readonly #server = new Server({
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
  });
  #port = 0;

  private constructor(options: InferenceServerOptions) {
    this.options = options;
    const { signature } = options;
    this.metadata = { inputs: [signature.input], outputs: outputTensors(signature) };
    const { config } = options;
    const methods = {
      ServerLive: answer(() => ({ live: true })),
      ServerReady: answer(() => ({ ready: true })),
      ServerMetadata: answer(() => ({ name: this.name, version: '1' })),
      ModelReady: answer(() => ({ ready: this.isReady })),
      ModelMetadata: answer(() => ({
        name: options.model,
        inputs: this.metadata.inputs.map(withBatch),
        outputs: this.metadata.outputs.map(withBatch),
      })),
      ModelConfig: answer(() => {
        if (config === undefined) throw refuse({ code: status.UNIMPLEMENTED, details: 'no such method' });
        const { maxBatchSize, digest } = config;
        return {
          config: {
            maxBatchSize,
            parameters: digest === undefined ? {} : { [digestParameter]: { stringValue: digest } },
          },
        };
      }),
      ModelInfer: answer(
        async (call) => await this.#infer(call as ServerUnaryCall<ModelInferRequest__Output, object>),
      ),
    };
    this.#server.addService(openInferencePackage[openInferenceService] as ServiceDefinition, methods);
  }

  static async start(options: InferenceServerOptions): Promise<InferenceServer> {
    const server = new InferenceServer(options);
    const { credentials = ServerCredentials.createInsecure(), port = await freePort() } = options;
    server.#port = await new Promise<number>((resolve, reject) => {
      server.#server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    return server;
  }

  get port(): number {
    return this.#port;
  }

  /** Ends it like a process that is killed. */
  kill(): void {
    this.#server.forceShutdown();
  }

  async #infer({ request, metadata }: ServerUnaryCall<ModelInferRequest__Output, object>): Promise<object> {
    const { signature } = this.options;
    const [input] = request.inputs;
    const [raw] = request.rawInputContents;
    const views = input!.shape[0]!;
    this.batches.push(views);
    this.authorizations.push(metadata.get('authorization')[0]);
    await this.hold?.();
    if (this.refusal !== undefined && this.refuses(raw![0]!)) throw refuse(this.refusal);
    if (input!.shape.reduce((a, b) => a * b, elementBytes[signature.input.datatype]) !== raw!.byteLength) {
      throw refuse({
        code: status.INVALID_ARGUMENT,
        details: 'raw contents do not have the size of the shape',
      });
    }
    const firsts = Array.from({ length: views }, (_, index) => raw![(index * raw!.byteLength) / views]!);
    const tensors = request.outputs.map(
      ({ name }) => outputTensors(signature).find((one) => one.name === name)!,
    );
    const rows = input!.shape[1]!;
    const shapes = tensors.map(({ dims }) => [views, ...dims.map((size) => (size === -1 ? rows : size))]);
    const answered = {
      outputs: tensors.map(({ name, datatype }, index) => ({ name, datatype, shape: shapes[index] })),
      rawOutputContents: tensors.map(({ datatype }, index) => {
        const viewBytes = shapes[index]!.slice(1).reduce((a, b) => a * b, elementBytes[datatype]);
        const valueOf = (first: number) => (datatype === 'BOOL' ? Number(first !== 99) : first);
        return Buffer.concat(firsts.map((first) => Buffer.alloc(viewBytes, valueOf(first))));
      }),
    };
    this.spoil?.(answered);
    return answered;
  }
}

function answer(
  make: (call: ServerUnaryCall<unknown, object>) => object | Promise<object>,
): handleUnaryCall<unknown, object> {
  return (call, callback) => {
    void (async () => {
      try {
        callback(null, await make(call));
      } catch (error) {
        callback(error as Error);
      }
    })();
  };
}

function refuse({ code, details }: Refusal): Error {
  return Object.assign(new Error(details), { code, details });
}

function withBatch({ name, datatype, dims }: RemoteTensor): object {
  return { name, datatype, shape: [-1, ...dims] };
}
