import {
  type CallOptions,
  Client,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError as GrpcError,
  status,
} from '@grpc/grpc-js';
import { ServiceError } from '../../errors/service-error.ts';
import { openInferenceMessage, openInferenceService } from '../../open-inference/definition.ts';
import { readAccess, type RemoteAccess } from './access.ts';
import { type CallReason, callReason, type FailedCall } from './call-reason.ts';
import { type Endpoint, endpointUrl } from './endpoint.ts';
import { EngineDown } from './engine-down.ts';

/** Statuses of a batch that failed on a working server. Any other status means that the server cannot be used now. */
const ofTheBatch: ReadonlySet<status> = new Set([
  status.INTERNAL,
  status.UNKNOWN,
  status.INVALID_ARGUMENT,
  status.OUT_OF_RANGE,
]);

/** Why a call failed, with the server that it went to and what that said. */
export class CallFailure extends Error {
  readonly status: status;

  constructor(url: string, { reason, words }: CallReason, code: status) {
    super(`${url} ${reason}${words === '' ? '' : `: ${words}`}`);
    this.status = code;
  }
}

/** The answer to a request whose batch failed on a working server. */
export const modelFailed = 'The model failed on this image.';

const windowBytes = 8 * 2 ** 20;

/** The engine reconnects by itself: each connection starts afresh and looks the address up again. */
const channelOptions = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  // Node's default of 64 KiB limits an answer of some MB to a fraction of the network's speed.
  'grpc-node.flow_control_window': windowBytes,
} as const;

/** One connection to a server. It reads the files of its access when it opens. */
export class Connection {
  readonly #client: Client;
  readonly #metadata: Metadata;
  /** The server's endpoint, as the user wrote it. */
  readonly url: string;
  readonly #secure: boolean;
  readonly #calls = new Set<ClientUnaryCall>();

  private constructor(client: Client, metadata: Metadata, endpoint: Endpoint) {
    this.#client = client;
    this.#metadata = metadata;
    this.url = endpointUrl(endpoint);
    this.#secure = endpoint.secure;
  }

  /** Rejects with EngineDown if a file cannot be read or used. The server is reached with the first call. */
  static async open(endpoint: Endpoint, access: RemoteAccess): Promise<Connection> {
    const { trust, metadata } = await credentialsFor(endpoint.secure, access);
    const client = new Client(`${endpoint.host}:${endpoint.port}`, trust, channelOptions);
    return new Connection(client, metadata, endpoint);
  }

  /**
   * Calls a method of the protocol. Rejects with `internal` when the server works and this batch failed, and with
   * EngineDown for everything else, a missed deadline included; the cause names the server and what it said.
   */
  async call<Response>(method: string, request: object, limitMs: number): Promise<Response> {
    const { serialize } = openInferenceMessage<object, never>(`${method}Request`);
    return await this.send<Response>(method, Buffer.from(serialize(request)), limitMs);
  }

  /** As {@link call}, with a request that is already encoded. */
  send<Response>(method: string, request: Buffer, limitMs: number): Promise<Response> {
    const { deserialize } = openInferenceMessage<never, Response>(`${method}Response`);
    const path = `/${openInferenceService}/${method}`;
    const options: CallOptions = { deadline: Date.now() + limitMs };
    return new Promise((resolve, reject) => {
      const done = (error: GrpcError | null, response?: Response): void => {
        this.#calls.delete(call);
        if (error === null) resolve(response!);
        else reject(this.#failure(error, { method, limitMs, secure: this.#secure }));
      };
      const same = (bytes: Buffer): Buffer => bytes;
      const call = this.#client.makeUnaryRequest(
        path,
        same,
        deserialize,
        request,
        this.#metadata,
        options,
        done,
      );
      this.#calls.add(call);
    });
  }

  /** Calls under way fail with EngineDown. */
  close(): void {
    for (const call of this.#calls) call.cancel();
    this.#client.close();
  }

  #failure(error: GrpcError, call: FailedCall): ServiceError {
    const reason = callReason(error, call);
    const cause = new CallFailure(this.url, reason, error.code);
    return call.method === 'ModelInfer' && ofTheBatch.has(error.code) && reason.isLost !== true
      ? new ServiceError('internal', modelFailed, { cause })
      : new EngineDown(reason.reason, { cause });
  }
}

/** What a connection trusts and shows, and the metadata of its calls. */
async function credentialsFor(secure: boolean, access: RemoteAccess) {
  try {
    // A server without TLS needs no files of TLS.
    const { ca, cert, key, token } = await readAccess(secure ? access : { tokenFile: access.tokenFile });
    const trust = secure
      ? credentials.createSsl(bytesOf(ca), bytesOf(key), bytesOf(cert))
      : credentials.createInsecure();
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return { trust, metadata };
  } catch (error) {
    throw new EngineDown("cannot be called with this service's credentials", { cause: error as Error });
  }
}

function bytesOf(text: string | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text);
}
