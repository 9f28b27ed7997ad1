import type { Logger } from 'pino';
import { Budget } from './admission/budget.ts';
import { Encoder } from './encoding/encoder.ts';
import type { EncoderConfig } from './encoding/encoder-config.ts';
import { ServiceError } from './errors/service-error.ts';
import { isNpy, readNpyRasters } from './image/npy-raster.ts';
import type { EngineLoss } from './inference/engine-loss.ts';
import type { Model } from './model/model.ts';
import { Metrics } from './telemetry/metrics.ts';
import type { Tracing } from './telemetry/trace.ts';
import { defaultGrpcLimits, maxOpenCalls } from './transport/grpc/limits.ts';
import { type GrpcServer, startGrpcServer } from './transport/grpc/server.ts';
import { mainEndpoints, metricsEndpoints } from './transport/http/routes.ts';
import { type HttpServer, type HttpServerOptions, startHttpServer } from './transport/http/server.ts';
import { OpenInference } from './transport/open-inference/open-inference.ts';
import { type SocketAccess, SocketFile } from './transport/socket-file.ts';
import { Access, type AccessConfig } from './transport/security/access.ts';

export interface ServiceConfig extends EncoderConfig, AccessConfig {
  readonly host: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Port for metrics; if absent, they are served on the HTTP port. */
  readonly metricsPort?: number | undefined;
  /** Paths of Unix domain sockets to listen on too, and who may connect to them. */
  readonly httpSocket?: string | undefined;
  readonly grpcSocket?: string | undefined;
  readonly socketMode?: number | undefined;
  readonly socketOwner?: SocketAccess['owner'];
  readonly maxBodyBytes: number;
  /** Most bytes of HTTP bodies and gRPC messages held at one time. */
  readonly maxInflightBytes: number;
  readonly maxImages: number;
  /** The package's version, for metrics and the description of the API. */
  readonly version?: string | undefined;
  /** Origins whose pages may use the HTTP API, or `*` for any; none if absent. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** Whether `/` is the page on which people look at tokens; true if absent. */
  readonly playground?: boolean | undefined;
  /** If absent, nothing is traced. Closed with the service. */
  readonly tracing?: Tracing | undefined;
}

/** Most bytes of a gRPC message besides its image. */
const messageBytes = 64 * 1024;

/** The running service. */
export interface Service {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly metricsPort: number | undefined;
  /** Reports not ready. Requests are still accepted. */
  setNotReady(): void;
  /** Reports not ready and refuses new work. Resolves when the requests under way have been answered. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

interface Closable {
  close(): void | Promise<void>;
}

/**
 * Starts the transports, so that they answer probes, and then loads the models. Parts close in the reverse order of their
 * start.
 */
export async function startService(
  config: ServiceConfig,
  logger: Logger,
  onLoss: (loss: EngineLoss) => void,
): Promise<Service> {
  const opened: Closable[] = config.tracing === undefined ? [] : [config.tracing];
  const close = async (): Promise<void> => {
    for (const part of opened.splice(0)) await part.close();
  };
  try {
    const access = await Access.open(config, logger);
    opened.unshift(access);
    const metrics = new Metrics(config.version);
    const encoder = new Encoder({ ...config, callers: access.callers }, metrics, logger, onLoss);
    opened.unshift(encoder);
    metrics.watchReady(() => encoder.ready());
    metrics.watchModels(() => encoder.models());
    const transports = await startTransports(config, access, encoder, metrics, logger, opened);
    await encoder.open();
    reportTeacher(config, encoder, logger);
    const { http, httpOnSocket, grpc, scraped } = transports;
    return {
      httpPort: http.port,
      grpcPort: grpc.port,
      metricsPort: scraped?.port,
      setNotReady: () => encoder.drain(),
      async drain() {
        encoder.drain();
        await Promise.all([http.drain(), httpOnSocket?.drain(), grpc.drain()]);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Transports {
  readonly http: HttpServer;
  /** The same server on a socket, if there is one. */
  readonly httpOnSocket: HttpServer | undefined;
  readonly grpc: GrpcServer;
  /** The server for metrics, if they have a port of their own. */
  readonly scraped: HttpServer | undefined;
}

/** Listens on every port. Puts what it has opened first in `opened`. */
async function startTransports(
  config: ServiceConfig,
  { authenticate, callers, tls }: Access,
  encoder: Encoder,
  metrics: Metrics,
  logger: Logger,
  opened: Closable[],
): Promise<Transports> {
  const { host, httpPort, grpcPort, metricsPort, corsOrigins, tracing: tracer } = config;
  const { maxBodyBytes, maxImages, version } = config;
  const full = refusal(encoder, metrics);
  const budget = requestBudget(config, callers, full, metrics);
  const readPixels: HttpServerOptions['readPixels'] = (bytes) =>
    isNpy(bytes) ? readNpyRasters(bytes, config) : undefined;
  const openInference = new OpenInference({ encoder, maxImages, version });
  const shared = { encoder, metrics, logger, host, readPixels, openInference };
  let listeningGrpc: GrpcServer | undefined;
  const httpOptions = {
    ...shared,
    grpcPort: () => listeningGrpc?.port,
    port: httpPort,
    endpoints: mainEndpoints({ metrics: metricsPort !== undefined, playground: config.playground === false }),
    budget,
    authenticate,
    tracer,
    corsOrigins,
    version,
    limits: { maxBodyBytes, maxImages },
  };
  const http = await startHttpServer({ ...httpOptions, tls });
  opened.unshift(http);
  const socket = await socketOf(config, config.httpSocket, '--http-socket');
  const httpOnSocket = socket && (await startHttpServer({ ...httpOptions, socket }));
  if (httpOnSocket !== undefined) opened.unshift(httpOnSocket);
  metrics.watchInflight('http', () => http.underWay + (httpOnSocket?.underWay ?? 0));
  const grpc = await startGrpcServer({
    ...shared,
    port: grpcPort,
    authenticate,
    messageBudget: budget,
    callBudget: callBudget(callers, full),
    socket: await socketOf(config, config.grpcSocket, '--grpc-socket'),
    tls,
    tracer,
    limits: { ...defaultGrpcLimits, maxRequestBytes: maxBodyBytes + messageBytes },
  });
  listeningGrpc = grpc;
  opened.unshift(grpc);
  metrics.watchInflight('grpc', () => grpc.underWay);
  if (metricsPort === undefined) return { http, httpOnSocket, grpc, scraped: undefined };
  const scraped = await startHttpServer({
    ...shared,
    endpoints: metricsEndpoints,
    port: metricsPort,
    portFlag: '--metrics-port',
  });
  opened.unshift(scraped);
  return { http, httpOnSocket, grpc, scraped };
}

const usualSocketMode = 0o660;

async function socketOf(
  { socketMode: mode = usualSocketMode, socketOwner: owner }: ServiceConfig,
  path: string | undefined,
  flag: string,
): Promise<SocketFile | undefined> {
  return path === undefined ? undefined : await SocketFile.at(path, flag, { mode, owner });
}

/** Limits the bytes that requests hold until their images are encoded. */
function requestBudget(
  { maxInflightBytes, maxBodyBytes }: ServiceConfig,
  callers: Access['callers'],
  full: (message: string) => ServiceError,
  metrics: Metrics,
): Budget {
  const budget = new Budget({
    limit: maxInflightBytes,
    largest: maxBodyBytes + messageBytes,
    callers,
    full: () =>
      full('The service has no room for the bytes of this request (--max-inflight-bytes); try again later.'),
  });
  metrics.watchHeld('requests', () => budget.held);
  return budget;
}

/** Limits the gRPC calls that are open. */
function callBudget(callers: Access['callers'], full: (message: string) => ServiceError): Budget {
  return new Budget({
    limit: maxOpenCalls,
    callers,
    full: () => full('Too many gRPC calls are open; try again later.'),
  });
}

/** Makes the error for a request that does not fit. */
function refusal(encoder: Encoder, metrics: Metrics): (message: string) => ServiceError {
  return (message) => {
    const bound = 'request_bytes';
    metrics.observeRefusal(bound);
    // Bytes are freed when other clients have sent their bodies, which the queue of views cannot predict.
    const retryAfterMs = Math.max(1000, encoder.retryAfterMs() ?? 0);
    return new ServiceError('overloaded', message, { retryAfterMs, bound });
  };
}

/** Logs which model TeacherEncode uses, and warns if its answers do not have the shape of the default model's. */
function reportTeacher({ teacher }: ServiceConfig, encoder: Encoder, logger: Logger): void {
  const models = encoder.models();
  const [student] = models;
  if (student === undefined) return;
  if (teacher === undefined) {
    logger.info({ model: student.name }, 'no --teacher is set: TeacherEncode uses the default model');
    return;
  }
  const shapeOf = ({ grid, channels }: Model) =>
    `${grid.width} x ${grid.height} tokens of ${channels} channels`;
  const [shape, wanted] = [models.find(({ name }) => name === teacher) ?? student, student].map(shapeOf);
  if (shape === wanted) return;
  logger.warn(
    { teacher, model: student.name },
    `the teacher gives ${shape}, the default model ${wanted}: its tokens do not fit a student of that shape`,
  );
}
