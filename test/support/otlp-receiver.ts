import { once } from 'node:events';
import { createServer, type RequestListener, type Server as HttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { freePort } from '../../bench/processes/free-port.ts';

interface Value {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string;
  readonly doubleValue?: number;
}
type KeyValues = readonly { readonly key: string; readonly value: Value }[];

interface WireSpan {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId: Buffer;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: KeyValues;
  readonly links: readonly { readonly traceId: Buffer; readonly spanId: Buffer }[];
  readonly status: { readonly code: number } | null;
}

interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: KeyValues };
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

/** A span as a collector gets it; ids in hexadecimal, times in milliseconds since 1970. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty at a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly isServer: boolean;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly isError: boolean;
  readonly resource: Readonly<Record<string, unknown>>;
}

const definition = loadSync('test/fixtures/otlp/trace_service.proto', {});
const traceService = definition['opentelemetry.proto.collector.trace.v1.TraceService'];
if (traceService === undefined || !('Export' in traceService))
  throw new Error('the fixture has no TraceService');
const exportCall = traceService['Export'] as { requestDeserialize(bytes: Buffer): object };

export interface OtlpTls {
  readonly key: Buffer;
  readonly cert: Buffer;
  /** With it a client must have a certificate that this authority has signed. */
  readonly ca?: Buffer;
  readonly requestCert?: boolean;
}

/** What a collector does of OTLP for traces: over HTTP with protobuf, and over gRPC. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  readonly #http: HttpServer;
  readonly #isSecure: boolean;
  readonly #grpc = new Server();
  #grpcPort = 0;
  #onSpans: () => void = () => undefined;

  private constructor(tls: OtlpTls | undefined) {
    const answer: RequestListener = (request, response) => {
      void buffer(request).then((body) => {
        const isTraces = request.method === 'POST' && request.url === '/v1/traces';
        if (isTraces) this.#take(exportCall.requestDeserialize(body) as ExportRequest);
        response.writeHead(isTraces ? 200 : 404, { 'content-type': 'application/x-protobuf' }).end();
      });
    };
    this.#isSecure = tls !== undefined;
    this.#http = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  }

  /** With `tls` HTTP is over TLS, as localhost. */
  static async start(tls?: OtlpTls): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver(tls);
    // Nobody else gets this port once the receiver has closed.
    receiver.#http.listen(await freePort(), '127.0.0.1');
    await once(receiver.#http, 'listening');
    receiver.#grpc.addService(traceService as Parameters<Server['addService']>[0], {
      Export: (call: { request: ExportRequest }, callback: (error: null, answer: object) => void) => {
        receiver.#take(call.request);
        callback(null, {});
      },
    });
    receiver.#grpcPort = await new Promise<number>((resolve, reject) => {
      receiver.#grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    return receiver;
  }

  /** The value of OTEL_EXPORTER_OTLP_ENDPOINT. */
  endpoint(protocol: 'grpc' | 'http/protobuf'): string {
    if (protocol === 'grpc') return `http://127.0.0.1:${this.#grpcPort}`;
    const { port } = this.#http.address() as AddressInfo;
    return this.#isSecure ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  }

  /** Resolves when `isEnough` holds for the spans received; rejects after a minute. */
  async until(isEnough: (spans: readonly ReceivedSpan[]) => boolean): Promise<void> {
    const limit = AbortSignal.timeout(60_000);
    while (!isEnough(this.spans)) {
      await new Promise<void>((resolve, reject) => {
        this.#onSpans = resolve;
        limit.addEventListener('abort', () => reject(new Error('the spans have not come within a minute')), {
          once: true,
        });
      });
    }
  }

  get isClosed(): boolean {
    return !this.#http.listening;
  }

  async close(): Promise<void> {
    this.#grpc.forceShutdown();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, 'close');
  }

  #take({ resourceSpans }: ExportRequest): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const { spans } of scopeSpans) this.spans.push(...spans.map((span) => received(span, resource)));
    }
    this.#onSpans();
  }
}

function received(span: WireSpan, resource: { readonly attributes: KeyValues }): ReceivedSpan {
  return {
    traceId: span.traceId.toString('hex'),
    spanId: span.spanId.toString('hex'),
    parentSpanId: span.parentSpanId?.toString('hex') ?? '',
    name: span.name,
    isServer: span.kind === 2,
    startMs: Number(span.startTimeUnixNano) / 1e6,
    endMs: Number(span.endTimeUnixNano) / 1e6,
    attributes: valuesOf(span.attributes),
    links: (span.links ?? []).map(({ traceId, spanId }) => ({
      traceId: traceId.toString('hex'),
      spanId: spanId.toString('hex'),
    })),
    isError: span.status?.code === 2,
    resource: valuesOf(resource.attributes),
  };
}

function valuesOf(attributes: KeyValues = []): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.boolValue ?? value.doubleValue ?? Number(value.intValue),
    ]),
  );
}
