import type { Logger } from 'pino';
import { type AdmitBytes, ByteRoom } from './admission/byte-budget.ts';
import { Encoder, type EncoderConfig } from './encoding/encoder.ts';
import { ServiceError } from './errors/service-error.ts';
import type { EngineEnd } from './inference/supervised-engine.ts';
import { defaultGrpcLimits } from './transport/grpc/limits.ts';
import { startGrpcServer } from './transport/grpc/server.ts';
import { metricsEndpoints, otherEndpoints } from './transport/http/routes.ts';
import { type HttpServer, startHttpServer } from './transport/http/server.ts';
import { isNpy, readNpyRasters } from './image/npy-raster.ts';
import { Metrics } from './telemetry/metrics.ts';
import type { Model } from './model/model.ts';
import type { VisualEncoder } from './encoding/request.ts';
import type { Tracing } from './telemetry/trace.ts';
import { Perimeter, type PerimeterConfig } from './transport/security/access.ts';

export interface ServiceConfig extends EncoderConfig, PerimeterConfig {
  readonly host: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Of metrics; they are on HTTP's when absent. */
  readonly metricsPort?: number | undefined;
  readonly maxBodyBytes: number;
  /** Of all HTTP bodies and gRPC messages held at one time. */
  readonly maxInflightBytes: number;
  readonly maxImages: number;
  /** Without it nothing is traced. Closed with the service. */
  readonly tracing?: Tracing | undefined;
}

/** What a gRPC message holds beside its image. */
const messageBytes = 64 * 1024;

/** The running service. */
export interface Service {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly metricsPort: number | undefined;
  /** Readiness goes false; requests are still taken. */
  setNotReady(): void;
  /** Not ready, no new work; resolves when what is in flight is answered. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Builds the parts and starts them: the transports first, so that probes are answered while the models load, then
 * the engines. `onDown` is called when an engine is of no more use, nor is the process then.
 */
export async function startService(
  config: ServiceConfig,
  logger: Logger,
  onDown: (end: EngineEnd) => void,
): Promise<Service> {
  const perimeter = await Perimeter.open(config, logger);
  try {
    const service = await startInside(perimeter, config, logger, onDown);
    return {
      ...service,
      async close() {
        await service.close();
        perimeter.close();
      },
    };
  } catch (error) {
    perimeter.close();
    throw error;
  }
}

async function startInside(
  { authenticate, callers, tls }: Perimeter,
  config: ServiceConfig,
  logger: Logger,
  onDown: (end: EngineEnd) => void,
): Promise<Service> {
  const metrics = new Metrics();
  let open: Encoder | undefined;
  const encoder: VisualEncoder = {
    encode: (request) => {
      if (open === undefined) return Promise.reject(starting());
      return open.encode(request);
    },
    encodeEach: (request) => {
      if (open === undefined) throw starting();
      return open.encodeEach(request);
    },
    plan: (request) => {
      if (open === undefined) throw starting();
      return open.plan(request);
    },
    validate: (asked) => {
      if (open === undefined) throw starting();
      open.validate(asked);
    },
    models: () => open?.models() ?? [],
    ready: () => open?.ready() ?? false,
  };
  metrics.watchReady(() => encoder.ready());
  const { host, httpPort, grpcPort, metricsPort, maxBodyBytes, maxImages } = config;
  const limits = { maxBodyBytes, maxImages };
  const readPixels = (bytes: Uint8Array) => (isNpy(bytes) ? readNpyRasters(bytes, config) : undefined);
  const full = (): ServiceError => {
    const bound = 'request_bytes';
    metrics.observeRefusal(bound);
    return new ServiceError(
      'overloaded',
      'The service holds as many request bytes as it may; try again later.',
      // It is there when others have sent theirs, which the queue says nothing of.
      { retryAfterMs: Math.max(1000, open?.retryAfterMs() ?? 0), bound },
    );
  };
  const requests = new ByteRoom({
    maxBytes: config.maxInflightBytes,
    largestBytes: maxBodyBytes + messageBytes,
    callers,
    full,
  });
  metrics.watchHeld('requests', () => requests.heldBytes);
  const admit: AdmitBytes = (sizeBytes, caller) => requests.admit(sizeBytes, caller);
  const tracer = config.tracing;
  const opened: { close(): Promise<void> }[] = tracer === undefined ? [] : [tracer];
  /** What was opened last is closed first: the engines outlive those who ask them. */
  const close = async (): Promise<void> => {
    for (const each of opened.splice(0).toReversed()) await each.close();
  };
  try {
    const http = await startHttpServer({
      encoder,
      metrics,
      logger,
      host,
      port: httpPort,
      ...(metricsPort === undefined ? {} : { endpoints: otherEndpoints }),
      readPixels,
      admitBody: admit,
      authenticate,
      tls,
      tracer,
      limits,
    });
    metrics.watchInflight('http', () => http.underWay);
    opened.push(http);
    const grpc = await startGrpcServer({
      encoder,
      logger,
      observe: (request) => metrics.observeRequest(request),
      host,
      port: grpcPort,
      authenticate,
      admitMessage: admit,
      tls,
      tracer,
      limits: { ...defaultGrpcLimits, maxRequestBytes: maxBodyBytes + messageBytes },
    });
    metrics.watchInflight('grpc', () => grpc.underWay);
    opened.push(grpc);
    let scraped: HttpServer | undefined;
    if (metricsPort !== undefined) {
      const options = { encoder, metrics, logger, host, readPixels, endpoints: metricsEndpoints };
      scraped = await startHttpServer({ ...options, port: metricsPort, portFlag: '--metrics-port' });
      opened.push(scraped);
    }
    const running = await Encoder.open({ ...config, callers }, metrics, logger, onDown);
    opened.unshift(running);
    open = running;
    sayTeacher(config, running.models(), logger);
    return {
      httpPort: http.port,
      grpcPort: grpc.port,
      metricsPort: scraped?.port,
      setNotReady: () => running.drain(),
      async drain() {
        running.drain();
        await Promise.all([http.drain(), grpc.drain()]);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function sayTeacher({ teacher }: ServiceConfig, models: readonly Model[], logger: Logger): void {
  if (teacher !== undefined) return;
  logger.info({ model: models[0]?.name }, 'no --teacher is set: TeacherEncode uses the default model');
}

function starting(): ServiceError {
  return new ServiceError('unavailable', 'The service is starting: its models are being loaded.', {
    retryAfterMs: 1000,
  });
}
