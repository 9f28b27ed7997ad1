import { readFile } from 'node:fs/promises';
import {
  type CallOptions,
  type ChannelCredentials,
  Client,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError as GrpcError,
  status,
} from '@grpc/grpc-js';
import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';
import { openInferenceMessage, openInferenceService } from '../../open-inference/definition.ts';
import { type CallReason, callReason, type FailedCall } from './call-reason.ts';
import { type Endpoint, endpointUrl } from './endpoint.ts';
import { EngineDown } from './engine-down.ts';

/** Files with which this service checks servers and identifies itself to them. */
export interface RemoteAccess {
  /** PEM file of the authorities that sign the servers' certificates; the system's when absent. */
  readonly caFile?: string | undefined;
  /** PEM files of a client certificate and its key. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** File of a token that every call carries as `authorization: Bearer TOKEN`. */
  readonly tokenFile?: string | undefined;
}

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

  /** Rejects with EngineDown if a file cannot be read. The server is reached with the first call. */
  static async open(endpoint: Endpoint, access: RemoteAccess): Promise<Connection> {
    const metadata = new Metadata();
    const token = await read(access.tokenFile);
    if (token !== undefined) metadata.set('authorization', `Bearer ${token.toString('utf8').trim()}`);
    const trust = endpoint.secure ? await tlsCredentials(access) : credentials.createInsecure();
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
    return call.method === 'ModelInfer' && ofTheBatch.has(error.code)
      ? new ServiceError('internal', modelFailed, { cause })
      : new EngineDown(reason.reason, { cause });
  }
}

/** Rejects with `invalid_argument` if a file cannot be read. */
export async function requireAccess({ caFile, certFile, keyFile, tokenFile }: RemoteAccess): Promise<void> {
  const files = { ca: caFile, cert: certFile, key: keyFile, 'token-file': tokenFile };
  for (const [flag, file] of Object.entries(files)) {
    if (file === undefined) continue;
    await readFile(file).catch((error: unknown) => {
      throw new ServiceError(
        'invalid_argument',
        `--remote-engine-${flag} ${file} cannot be read: ${systemReason(error)}.`,
      );
    });
  }
}

async function tlsCredentials({ caFile, certFile, keyFile }: RemoteAccess): Promise<ChannelCredentials> {
  const [ca, cert, key] = await Promise.all([read(caFile), read(certFile), read(keyFile)]);
  return credentials.createSsl(ca ?? null, key ?? null, cert ?? null);
}

async function read(file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    const reason = systemReason(error);
    throw new EngineDown(`needs a file that cannot be read: ${reason}`, {
      cause: new Error(`${file} cannot be read: ${reason}`),
    });
  }
}
