import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { fromJSON, loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Metadata as a client that loads encoder.proto with enums as text sees it. */
export interface AnswerMetadata {
  readonly model: { readonly name: string; readonly digest: string; readonly trained: boolean };
  readonly output: string;
  readonly projector: { readonly family: string; readonly digest: string } | null;
  readonly features: string;
  readonly featureLayers: readonly string[];
  readonly classToken: boolean;
  readonly precision: string;
  readonly dtype: string;
  readonly shape: number[];
  readonly grid: Size;
  readonly images: readonly Size[];
  readonly recipe: string;
  readonly views: number;
  readonly anyres: {
    readonly tileGrid: { readonly columns: number; readonly rows: number };
    readonly baseTokens: number;
    readonly unpad: Size & { readonly x: number; readonly y: number };
    readonly spatial: Size;
    readonly newlines: number;
    readonly resized: boolean;
  } | null;
  readonly teacher: {
    readonly scales: readonly number[];
    readonly weights: readonly number[];
    readonly fusion: string;
    readonly windows: string;
    readonly models: readonly { readonly name: string; readonly digest: string }[];
  } | null;
}

export interface Timings {
  readonly decodeMs: number;
  readonly viewsMs: number;
  readonly queueMs: number;
  readonly engineMs: number;
}

/** What any of the three encode calls answers. */
export interface EncodeResponse {
  readonly tensor: { readonly shape: number[]; readonly dtype: string; readonly data: Buffer };
  readonly metadata: AnswerMetadata;
  readonly timings: Timings;
  readonly source: string;
}

export interface PlanResponse {
  readonly metadata: AnswerMetadata;
  readonly tokens: number;
  readonly sizeBytes: number;
}

interface Caller {
  (
    request: object,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: (error: grpc.ServiceError | null, response: unknown) => void,
  ): grpc.ClientUnaryCall;
}

/** How one unary call went. */
export interface Outcome<Response> {
  readonly response: Response | undefined;
  readonly error: grpc.ServiceError | undefined;
  /** Initial metadata; undefined where the server sent none. */
  readonly headers: grpc.Metadata | undefined;
  readonly trailers: grpc.Metadata;
}

export interface CallSettings extends grpc.CallOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  /** Cancels the call when it fires. */
  readonly signal?: AbortSignal;
}

const wholeProto = {
  includeDirs: ['proto'],
  defaults: true,
  oneofs: true,
  enums: String,
  longs: Number,
};

/** Takes messages of any size, through a window wider than 64 KiB. */
const roomy: grpc.ClientOptions = {
  'grpc.max_receive_message_length': -1,
  'grpc-node.flow_control_window': 8 * 2 ** 20,
};

/** A client of any service of the given .proto file, on a real connection. */
export class TestClient {
  readonly #client: grpc.Client;

  /** `at` is a port of this machine, or a whole address. */
  constructor(
    at: number | string,
    service: string,
    protoFile = 'siglip_hd/v1/encoder.proto',
    limits = roomy,
    credentials = grpc.credentials.createInsecure(),
  ) {
    const definition = loadSync(protoFile, wholeProto)[service] as grpc.ServiceDefinition;
    const Constructor = grpc.makeGenericClientConstructor(definition, service);
    const address = typeof at === 'number' ? `127.0.0.1:${at}` : at;
    this.#client = new Constructor(address, credentials, {
      ...limits,
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  /** One unary call; resolves however it ends. */
  call<Response>(method: string, request: object, settings: CallSettings = {}): Promise<Outcome<Response>> {
    const { metadata = {}, signal, ...options } = settings;
    return new Promise((resolve) => {
      let headers: grpc.Metadata | undefined;
      let answer: { error: grpc.ServiceError | null; response: unknown } | undefined;
      const start = this.#methods[method] as Caller;
      const call = start.call(this.#client, request, metadataOf(metadata), options, (error, response) => {
        answer = { error, response };
      });
      call.on('metadata', (received: grpc.Metadata) => (headers = received));
      call.on('status', ({ metadata: trailers }: grpc.StatusObject) =>
        setImmediate(() =>
          resolve({
            response: (answer?.response ?? undefined) as Response | undefined,
            error: answer?.error ?? undefined,
            headers,
            trailers,
          }),
        ),
      );
      signal?.addEventListener('abort', () => call.cancel(), { once: true });
    });
  }

  /** A call that the server answers with a stream. That it ends with the client is no error here. */
  stream<Response>(method: string, request: object): grpc.ClientReadableStream<Response> {
    const start = this.#methods[method] as (request: object) => grpc.ClientReadableStream<Response>;
    return start.call(this.#client, request).on('error', () => {});
  }

  duplex<Response>(
    method: string,
    { metadata = {}, ...options }: Omit<CallSettings, 'signal'> = {},
  ): grpc.ClientDuplexStream<object, Response> {
    const start = this.#methods[method] as (
      metadata: grpc.Metadata,
      options: grpc.CallOptions,
    ) => grpc.ClientDuplexStream<object, Response>;
    return start.call(this.#client, metadataOf(metadata), options);
  }

  async connected(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#client.waitForReady(Date.now() + 60_000, (error) => (error ? reject(error) : resolve()));
    });
  }

  close(): void {
    this.#client.close();
  }

  get #methods(): Readonly<Record<string, unknown>> {
    return this.#client as unknown as Readonly<Record<string, unknown>>;
  }
}

function metadataOf(entries: Readonly<Record<string, string>>): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(entries)) metadata.set(key, value);
  return metadata;
}

/** Sends any bytes to any path, and gives the failure that comes back. */
export class RawCaller {
  readonly #client: grpc.Client;

  constructor(port: number) {
    this.#client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  }

  call(path: string, bytes: Buffer): Promise<grpc.ServiceError> {
    const asIs = (given: Buffer): Buffer => given;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, asIs, asIs, bytes, (error) =>
        error === null ? reject(new Error(`${path} answered`)) : resolve(error),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** The next message of a stream. */
export async function nextMessage<Message>(stream: grpc.ClientReadableStream<Message>): Promise<Message> {
  const [message] = (await once(stream, 'data')) as [Message];
  return message;
}

interface StatusDetails {
  readonly code: number;
  readonly message: string;
  readonly errorInfo: { readonly reason: string; readonly domain: string } | undefined;
  readonly retryDelayMs: number | undefined;
}

const text = (id: number) => ({ id, type: 'string' });
const googleRpc = fromJSON(
  {
    nested: {
      Duration: { fields: { seconds: { id: 1, type: 'int64' }, nanos: { id: 2, type: 'int32' } } },
      Any: { fields: { typeUrl: text(1), value: { id: 2, type: 'bytes' } } },
      Status: {
        fields: {
          code: { id: 1, type: 'int32' },
          message: text(2),
          details: { id: 3, type: 'Any', rule: 'repeated' },
        },
      },
      ErrorInfo: { fields: { reason: text(1), domain: text(2) } },
      RetryInfo: { fields: { retryDelay: { id: 1, type: 'Duration' } } },
    },
  },
  { defaults: true, longs: Number },
);

function googleType<Message>(name: string): MessageTypeDefinition<never, Message> {
  const definition: unknown = googleRpc[name];
  return definition as MessageTypeDefinition<never, Message>;
}

const statusType = googleType<{
  code: number;
  message: string;
  details: { typeUrl: string; value: Buffer }[];
}>('Status');
const errorInfoType = googleType<{ reason: string; domain: string }>('ErrorInfo');
const retryInfoType = googleType<{ retryDelay: { seconds: number; nanos: number } }>('RetryInfo');

/** google.rpc.Status out of a failure's trailing metadata. */
export function statusDetails(trailers: grpc.Metadata): StatusDetails {
  const [encoded] = trailers.get('grpc-status-details-bin');
  const { code, message, details } = statusType.deserialize(encoded as Buffer);
  const detail = (type: string): Buffer | undefined =>
    details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/google.rpc.${type}`)?.value;
  const errorInfo = detail('ErrorInfo');
  const retryInfo = detail('RetryInfo');
  const retryDelay = retryInfo && retryInfoType.deserialize(retryInfo).retryDelay;
  return {
    code,
    message,
    errorInfo: errorInfo && errorInfoType.deserialize(errorInfo),
    retryDelayMs: retryDelay && retryDelay.seconds * 1000 + retryDelay.nanos / 1e6,
  };
}
