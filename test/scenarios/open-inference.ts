// A service and its two clients of the Open Inference Protocol, which ask the same in either wire format.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { ErrorCode } from '../../src/errors/service-error.ts';
import { openInferenceService } from '../../src/open-inference/definition.ts';
import { type Service, startService } from '../../src/service.ts';
import { readKeyList } from '../../src/transport/security/api-key.ts';
import { statusDetails, TestClient } from '../support/grpc-client.ts';
import { serviceConfig } from '../support/service-config.ts';

export const key = 'ada-0123456789abcdef';

/** One input, in the words that both wires have. */
export interface Input {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly (number | string)[];
  readonly raw?: Buffer;
  /** JSON's `data`, and the `contents` of gRPC. */
  readonly data?: unknown;
  readonly contents?: object;
}

export interface Asked {
  readonly model?: string;
  readonly version?: string;
  /** 7 if absent. */
  readonly id?: string;
  readonly inputs: readonly Input[];
  readonly outputs?: readonly string[];
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  /** Bytes after the tensors, and a tensor more or fewer in gRPC. */
  readonly moreRaw?: Buffer;
  readonly key?: string;
}

export interface Tensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly bytes: Buffer;
}

export interface Told {
  readonly code: ErrorCode | 'ok';
  readonly detail: string;
  readonly status: number;
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly tensors?: readonly Tensor[];
}

/** The raw form of BYTES. */
export function rawBytes(...files: readonly Buffer[]): Buffer {
  return Buffer.concat(
    files.flatMap((file) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(file.byteLength);
      return [length, file];
    }),
  );
}

/** The service, on a tiny model, with its clients; all close after the tests. */
export async function startOpenInference(models: readonly { name: string; folder: string }[]) {
  const reading = readKeyList(`ada:${key}`);
  assert.ok(reading.ok);
  const config = serviceConfig({ models, apiKeys: reading.keys, maxImages: 8, maxBodyBytes: 3_000_000 });
  const service = await startService(config, pino({ level: 'silent' }), () => {});
  const client = new TestClient(service.grpcPort, openInferenceService, 'inference/open_inference.proto');
  const close = async () => {
    client.close();
    await service.close();
  };
  return { service, client, url: `http://127.0.0.1:${service.httpPort}`, close };
}

export type Served = { readonly service: Service; readonly client: TestClient; readonly url: string };

/** The request over HTTP with its raw tensors after the JSON, and a binary answer. */
export async function overHttp({ url }: Pick<Served, 'url'>, asked: Asked, isBinary = true): Promise<Told> {
  const tensors = asked.inputs.flatMap(({ raw }) => raw ?? []);
  const head = Buffer.from(
    JSON.stringify({
      id: asked.id ?? '7',
      parameters: { ...asked.parameters, ...(isBinary ? { binary_data_output: true } : {}) },
      inputs: asked.inputs.map(({ name, datatype, shape, data, raw }) => ({
        name,
        datatype,
        shape: shape.map(Number),
        data,
        ...(raw === undefined ? {} : { parameters: { binary_data_size: raw.byteLength } }),
      })),
      outputs: (asked.outputs ?? []).map((name) => ({ name })),
    }),
  );
  const version = asked.version === undefined ? '' : `/versions/${asked.version}`;
  const response = await fetch(`${url}/v2/models/${asked.model ?? 'tiny'}${version}/infer`, {
    method: 'POST',
    headers: {
      'x-api-key': asked.key ?? key,
      ...(tensors.length === 0 ? {} : { 'Inference-Header-Content-Length': String(head.byteLength) }),
    },
    body: Buffer.concat([head, ...tensors, asked.moreRaw ?? Buffer.alloc(0)]),
  });
  return await told(response);
}

/** What an HTTP answer says. */
export async function told(response: Response): Promise<Told> {
  const bytes = Buffer.from(await response.arrayBuffer());
  const { status } = response;
  const headBytes = Number(response.headers.get('inference-header-content-length') ?? bytes.byteLength);
  const json = JSON.parse(bytes.toString('utf8', 0, headBytes)) as HttpAnswer & {
    code: ErrorCode;
    error: string;
  };
  if (status !== 200) return { code: json.code, detail: json.error, status };
  let at = headBytes;
  const tensors = json.outputs.map(({ data, parameters, ...output }) => {
    if (data !== undefined) return { ...output, bytes: Buffer.from(Float32Array.from(data).buffer) };
    at += parameters!.binary_data_size;
    return { ...output, bytes: bytes.subarray(at - parameters!.binary_data_size, at) };
  });
  return { code: 'ok', detail: '', status, id: json.id, parameters: json.parameters, tensors };
}

interface HttpAnswer {
  readonly id: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly outputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: readonly number[];
    readonly data?: readonly number[];
    readonly parameters?: { readonly binary_data_size: number };
  }[];
}

/** The same request over gRPC. */
export async function overGrpc({ client }: Pick<Served, 'client'>, asked: Asked): Promise<Told> {
  const raw = [
    ...asked.inputs.flatMap((input) => input.raw ?? []),
    ...(asked.moreRaw ? [asked.moreRaw] : []),
  ];
  const request = {
    modelName: asked.model ?? 'tiny',
    modelVersion: asked.version ?? '',
    id: asked.id ?? '7',
    parameters: Object.fromEntries(
      Object.entries(asked.parameters ?? {}).map(([name, value]) => [name, parameterOf(value)]),
    ),
    inputs: asked.inputs.map(({ name, datatype, shape, contents }) => ({
      name,
      datatype,
      shape: [...shape],
      ...(contents === undefined ? {} : { contents }),
    })),
    outputs: (asked.outputs ?? []).map((name) => ({ name })),
    rawInputContents: raw,
  };
  const metadata = { 'x-api-key': asked.key ?? key };
  const { response, error, trailers } = await client.call<GrpcAnswer>('ModelInfer', request, { metadata });
  if (response === undefined) {
    const { errorInfo, message } = statusDetails(trailers);
    return { code: errorInfo!.reason as ErrorCode, detail: message, status: error!.code };
  }
  const tensors = response.outputs.map(({ name, datatype, shape }, index) => {
    return { name, datatype, shape, bytes: response.rawOutputContents[index]! };
  });
  const parameters = Object.entries(response.parameters).map(([name, value]) => [
    name,
    value[value.parameterChoice as 'stringParam'],
  ]);
  return {
    code: 'ok',
    detail: '',
    status: 0,
    id: response.id,
    parameters: Object.fromEntries(parameters) as Record<string, unknown>,
    tensors,
  };
}

function parameterOf(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringParam: value };
  return typeof value === 'boolean' ? { boolParam: value } : { int64Param: value };
}

interface GrpcAnswer {
  readonly id: string;
  readonly parameters: Readonly<
    Record<
      string,
      { readonly parameterChoice: string; readonly stringParam?: string; readonly int64Param?: number }
    >
  >;
  readonly outputs: readonly Omit<Tensor, 'bytes'>[];
  readonly rawOutputContents: readonly Buffer[];
}

/** Asks for JSON with the key. */
export async function getJson(t: TestContext, url: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(url, { headers: { 'x-api-key': key }, ...init });
  t.diagnostic(`${response.status} ${url}`);
  return await response.json();
}
