import { readFileSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
import { ServiceError } from '../errors/service-error.ts';
import { describeProxy, findGrpcProxy, findProxy } from '../network/proxy.ts';
import { type OtlpProtocol, tracesEndpoint } from './otel-variables.ts';

/**
 * Loads the exporter of a protocol, which reads the `OTEL_` variables itself, and points it at the proxy that `env`
 * names for the endpoint. Rejects with `invalid_argument` if the exporter cannot use that proxy.
 */
export async function openExporter(protocol: OtlpProtocol, env: NodeJS.ProcessEnv): Promise<SpanExporter> {
  switch (protocol) {
    case 'grpc':
      setGrpcProxy(env);
      return new (await import('@opentelemetry/exporter-trace-otlp-grpc')).OTLPTraceExporter();
    case 'http/protobuf':
      return await openHttpExporter(env);
  }
}

async function openHttpExporter(env: NodeJS.ProcessEnv): Promise<SpanExporter> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  const proxy = findProxy(new URL(tracesEndpoint(env) ?? 'http://localhost:4318'), env);
  if (proxy === undefined) return new OTLPTraceExporter();
  const { agentFor } = await import('../network/agent.ts');
  return new OTLPTraceExporter({
    httpAgentOptions: (scheme) => agentFor(scheme === 'https:' ? 'https:' : 'http:', proxy, readTls(env)),
  });
}

/** Our agent replaces the exporter's, and with it the certificates that the exporter has read. */
function readTls(env: NodeJS.ProcessEnv): SecureContextOptions {
  const read = (what: string): Buffer | undefined => {
    const file = env[`OTEL_EXPORTER_OTLP_TRACES_${what}`] || env[`OTEL_EXPORTER_OTLP_${what}`];
    return file ? readFileSync(file) : undefined;
  };
  return { ca: read('CERTIFICATE'), cert: read('CLIENT_CERTIFICATE'), key: read('CLIENT_KEY') };
}

/**
 * grpc-js reads its proxy from lower-case variables only, by simpler rules, and ignores a proxy that it cannot use. So
 * this sets the variables that it reads first.
 */
function setGrpcProxy(env: NodeJS.ProcessEnv): void {
  const endpoint = tracesEndpoint(env) ?? 'http://localhost:4317';
  const target = new URL(/^\w+:\/\//.test(endpoint) ? endpoint : `https://${endpoint}`);
  const proxy = findGrpcProxy(target, env);
  if (proxy === undefined) {
    env['no_grpc_proxy'] = target.hostname.replace(/^\[(.*)\]$/, '$1');
    return;
  }
  if (proxy.url.protocol !== 'http:') {
    const message = `gRPC needs an http:// proxy, and ${describeProxy(proxy)} is not one.`;
    throw new ServiceError('invalid_argument', message);
  }
  env['grpc_proxy'] = proxy.url.href;
  // A name that no host has.
  env['no_grpc_proxy'] = '.invalid';
}
