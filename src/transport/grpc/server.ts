import { setTimeout as sleep } from 'node:timers/promises';
import { Server, ServerCredentials, setLogger } from '@grpc/grpc-js';
import { Budget } from '../../admission/budget.ts';
import type { VisualEncoder } from '../../encoding/request.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { RequestReports } from '../../telemetry/request-scope.ts';
import { RequestScopes } from '../../telemetry/request-scopes.ts';
import { openInferencePackage, openInferenceService } from '../../open-inference/definition.ts';
import { hostPort } from '../../network/host-port.ts';
import { listenFailure } from '../listen-failure.ts';
import type { SocketFile } from '../socket-file.ts';
import { OpenInference } from '../open-inference/open-inference.ts';
import { type Authenticate, allowAnonymous } from '../security/authenticate.ts';
import type { TlsIdentity } from '../security/tls-identity.ts';
import { watchConnections } from './connections.ts';
import { packageDefinition, serviceName } from './definition.ts';
import { encodeStream } from './encode-stream.ts';
import { Health, healthPackage } from './health.ts';
import { InboundCalls } from './inbound-calls.ts';
import { type GrpcLimits, serverOptions } from './limits.ts';
import { openInferenceMethods, openInferenceProbes } from './open-inference/service.ts';
import { addReflection } from './reflection.ts';
import { visualEncoderMethods } from './service.ts';
import { TlsCredentials } from './tls-credentials.ts';
import { uncodedService } from './uncoded-service.ts';

export interface GrpcServerOptions extends RequestReports {
  readonly encoder: VisualEncoder;
  /** The name or address to listen on; '::' and '0.0.0.0' mean every address. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly limits: GrpcLimits;
  /** If absent, every call is accepted. Health checks and reflection never need a key. */
  readonly authenticate?: Authenticate;
  /** Limits the bytes of request messages, until their images are encoded. Unlimited if absent. */
  readonly messageBudget?: Budget;
  /** Limits the calls that are open at one time. Unlimited if absent. */
  readonly callBudget?: Budget;
  /** Answers the Open Inference Protocol. Of its own where absent, for up to 16 images a request. */
  readonly openInference?: OpenInference;
  /** Listens on this socket too. Its connections are never encrypted. */
  readonly socket?: SocketFile | undefined;
  /** If absent, connections are not encrypted. */
  readonly tls?: TlsIdentity | undefined;
}

export interface GrpcServer {
  /** The port that the server listens on. */
  readonly port: number;
  /** How many requests are not answered yet. */
  readonly underWay: number;
  /** Accepts no more calls, reports NOT_SERVING, and resolves when the requests under way have been answered. */
  drain(): Promise<void>;
  /** Ends every call and connection at once. The calls' signals fire. */
  close(): Promise<void>;
}

const maxImagesAlone = 16;

/**
 * Serves VisualEncoderService, GRPCInferenceService, grpc.health.v1 and server reflection. Rejects with
 * `failed_precondition` if it cannot listen on the port. Does not close the encoder.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { encoder, limits, socket } = options;
  const scopes = new RequestScopes('grpc', options);
  const openInference = options.openInference ?? new OpenInference({ encoder, maxImages: maxImagesAlone });
  const methods = [...visualEncoderMethods(encoder, limits), ...openInferenceMethods(openInference, limits)];
  const calls = new InboundCalls(new Map(methods), {
    authenticate: options.authenticate ?? allowAnonymous,
    messageBudget: options.messageBudget ?? unbounded(),
    callBudget: options.callBudget ?? unbounded(),
    scopes,
    limits,
  });
  const server = new Server({ ...serverOptions(limits), interceptors: [calls.interceptor] });
  const health = addServices(server, encoder, openInference, limits);
  const end = (): void => {
    socket?.remove();
    health.stop();
    server.forceShutdown();
  };
  try {
    const port = await listen(server, options);
    watchConnections(server, limits, calls);
    await socket?.publish();
    return {
      port,
      get underWay() {
        return scopes.underWay;
      },
      async drain() {
        socket?.remove();
        health.stop();
        calls.stop(new ServiceError('unavailable', 'The service is stopping.'));
        const lingered = async (): Promise<void> => {
          await scopes.idle();
          await sleep(limits.drainLingerMs, undefined, { ref: false });
        };
        // Only connections and streams that their clients keep open are left then.
        await Promise.race([shutDown(server), lingered()]);
        server.forceShutdown();
      },
      close: async () => end(),
    };
  } catch (thrown) {
    end();
    throw thrown;
  }
}

function unbounded(): Budget {
  return new Budget({
    limit: Number.POSITIVE_INFINITY,
    full: () => new ServiceError('overloaded', 'The service is full; try again later.'),
  });
}

function addServices(
  server: Server,
  encoder: VisualEncoder,
  openInference: OpenInference,
  limits: GrpcLimits,
): Health {
  // The interceptor answers unary calls itself.
  server.addService(uncodedService(packageDefinition, serviceName), {
    StreamEncode: encodeStream({ encoder, limits }),
  });
  server.addService(
    uncodedService(openInferencePackage, openInferenceService),
    openInferenceProbes(openInference),
  );
  const health = new Health(encoder, limits.healthPollMs);
  health.addTo(server);
  addReflection(server, [packageDefinition, openInferencePackage, healthPackage]);
  return health;
}

/** Listens on the socket, if there is one, and on the port, which it resolves with. */
async function listen(
  server: Server,
  { host, port, limits, tls, socket }: GrpcServerOptions,
): Promise<number> {
  const plaintext = ServerCredentials.createInsecure();
  // Nobody knows the socket's temporary name, so connections come only once they are watched.
  if (socket !== undefined)
    await bind(server, `unix:${socket.listenPath}`, plaintext, (error) => socket.failure(error));
  const credentials = tls === undefined ? plaintext : new TlsCredentials(tls, limits.handshakeMs);
  return await bind(server, hostPort(host, port), credentials, (error) =>
    listenFailure({ host, port, flag: '--grpc-port' }, error),
  );
}

/** Listens on an address and resolves with its port. Rejects with the `failure` of grpc-js's error. */
function bind(
  server: Server,
  address: string,
  credentials: ServerCredentials,
  failure: (error: Error) => ServiceError,
): Promise<number> {
  return new Promise((resolve, reject) => {
    // grpc-js would also print to stderr that it cannot listen.
    setLogger({});
    server.bindAsync(address, credentials, (error, boundPort) => {
      setLogger(console);
      if (error === null) resolve(boundPort);
      else reject(failure(error));
    });
  });
}

function shutDown(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.tryShutdown((error) => (error === undefined ? resolve() : reject(error)));
  });
}
