import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { Server, ServerCredentials, setLogger } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { admitAny, type AdmitBytes } from '../../admission/byte-budget.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { listenFailure } from '../listen-failure.ts';
import type { VisualEncoder } from '../../encoding/request.ts';
import { type Authenticate, allowAnonymous } from '../security/authenticate.ts';
import type { TlsIdentity } from '../security/tls-identity.ts';
import { refuseStrangers } from './call-caller.ts';
import { packageDefinition } from './definition.ts';
import { EncodeStreams } from './encode-streams.ts';
import { shortenFarDeadline } from './far-deadline.ts';
import { Health, healthPackage } from './health.ts';
import { type GrpcLimits, serverOptions } from './limits.ts';
import { OpenStreams } from './open-streams.ts';
import { Sessions } from './sessions.ts';
import { MessageDoors } from './message-doors.ts';
import {
  streamingMethods,
  visualEncoderDefinition,
  visualEncoderEndpoints,
  visualEncoderHandlers,
} from './service.ts';
import { TlsCredentials } from './tls-credentials.ts';
import type { ObservedRequest, RequestWatch } from './request-watch.ts';

/** Of reflection; they take more than one message. */
const reflectionMethods = ['v1', 'v1alpha'].map(
  (version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
);

export interface GrpcServerOptions extends RequestWatch {
  readonly encoder: VisualEncoder;
  /** A name or address to listen on; '::' and '0.0.0.0' are every address. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly limits: GrpcLimits;
  /** Without it every call is let in. Health and reflection need no key. */
  readonly authenticate?: Authenticate;
  /** Without it every message has room. */
  readonly admitMessage?: AdmitBytes;
  /** Without it connections are in the clear. */
  readonly tls?: TlsIdentity | undefined;
}

export interface GrpcServer {
  /** The port listened on. */
  readonly port: number;
  /** Requests that are not answered yet. */
  readonly underWay: number;
  /** Takes no more calls, says NOT_SERVING, and resolves when the calls under way are answered. */
  drain(): Promise<void>;
  /** Ends every call and connection at once; the calls' signals fire. */
  close(): Promise<void>;
}

/**
 * Serves VisualEncoderService, grpc.health.v1 and server reflection. Rejects with `failed_precondition` when it
 * cannot listen there. The encoder stays the caller's.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { encoder, host, limits, tls, authenticate = allowAnonymous, admitMessage = admitAny } = options;
  const interceptors =
    authenticate === allowAnonymous ? [] : [refuseStrangers(authenticate, visualEncoderEndpoints, options)];
  const server = new Server({ ...serverOptions(limits), interceptors });
  const credentials =
    tls === undefined ? ServerCredentials.createInsecure() : new TlsCredentials(tls, limits.handshakeMs);
  const streams = new OpenStreams();
  const sessions = new Sessions();
  let underWay = 0;
  const doors = new MessageDoors({
    authenticate,
    admitMessage,
    endpoints: visualEncoderEndpoints,
    streaming: new Set([...streamingMethods, ...reflectionMethods]),
    maxBytes: limits.maxRequestBytes,
    arriveMs: limits.arriveMs,
  });
  const parts = {
    ...options,
    authenticate,
    doors,
    onBegin: () => {
      underWay++;
    },
    observe: (request: ObservedRequest) => {
      underWay--;
      options.observe?.(request);
    },
  };
  const encodeStreams = new EncodeStreams(parts);
  const health = new Health(encoder, limits.healthPollMs);
  server.addService(visualEncoderDefinition, visualEncoderHandlers(encoder, parts, encodeStreams));
  health.addTo(streams.addingTo(server));
  new ReflectionService({ ...packageDefinition, ...healthPackage }).addToServer(streams.addingTo(server));

  try {
    const port = await listen(server, host, options.port, credentials);
    // grpc-js has no setting for these, but keeps the servers of node:http2, which have.
    for (const listener of server['http2Servers'].keys()) {
      listener.maxConnections = limits.maxConnections;
      listener.updateSettings({ initialWindowSize: limits.streamWindowBytes });
      listener.on('session', (session: ServerHttp2Session) => {
        session.setLocalWindowSize(limits.connectionWindowBytes);
        sessions.add(session);
      });
      listener.prependListener('stream', (stream: ServerHttp2Stream) => sessions.addStream(stream));
      listener.prependListener('stream', shortenFarDeadline);
      listener.prependListener('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
        doors.open(stream, headers),
      );
    }
    return {
      port,
      get underWay() {
        return underWay;
      },
      drain() {
        health.stop();
        streams.endAll();
        encodeStreams.drain();
        doors.refuseAll(new ServiceError('unavailable', 'The service is stopping.'));
        const shut = shutDown(server);
        sessions.endIdle(limits.drainLingerMs);
        return shut;
      },
      async close() {
        health.stop();
        server.forceShutdown();
      },
    };
  } catch (thrown) {
    health.stop();
    throw thrown;
  }
}

function listen(server: Server, host: string, port: number, credentials: ServerCredentials): Promise<number> {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    // The library would say on stderr as well that it cannot listen.
    setLogger({});
    server.bindAsync(address, credentials, (error, boundPort) => {
      setLogger(console);
      if (error === null) resolve(boundPort);
      else reject(listenFailure({ host, port, flag: '--grpc-port' }, error));
    });
  });
}

function shutDown(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.tryShutdown((error) => (error === undefined ? resolve() : reject(error)));
  });
}
