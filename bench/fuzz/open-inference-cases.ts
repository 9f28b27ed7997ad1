import { deflateSync, gzipSync } from 'node:zlib';
import {
  openInferenceMessage as messageOf,
  openInferenceService,
} from '../../src/open-inference/definition.ts';
import type { Corpus, FuzzInput } from './case.ts';
import { anImage } from './ingredients.ts';
import { mutate, oddNumbers } from './mutate.ts';
import { below, pick, type Random, several } from './random.ts';
import { anyText, percentEncoded } from './texts.ts';

type Parameters = Readonly<Record<string, string | number | boolean>>;

/** An infer request whose fields may be anything, in the words of both wires. */
interface OddRequest {
  readonly model: string;
  readonly version: string;
  readonly id: string;
  readonly parameters: Parameters;
  readonly inputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: readonly number[];
    readonly data: Buffer;
    /** Whether the data is sent as values rather than raw. */
    readonly isTyped: boolean;
  }[];
  readonly outputs: readonly { readonly name: string; readonly parameters: Parameters }[];
}

/** A ModelInferRequest, mutated or not; or a smaller message of the service. */
export function openInferenceMessage(corpus: Corpus, random: Random): FuzzInput {
  const method =
    random() < 0.85
      ? 'ModelInfer'
      : pick(random, [
          'ServerLive',
          'ServerReady',
          'ServerMetadata',
          'ModelReady',
          'ModelMetadata',
          'ModelConfig',
          'ModelStatistics',
          'RepositoryIndex',
          'ModelStreamInfer',
        ]);
  const right =
    method === 'ModelInfer' || method === 'ModelStreamInfer'
      ? inferMessage(oddRequest(corpus, random), random)
      : serialize('ModelMetadataRequest', { name: modelName(random), version: versionText(random) });
  return {
    kind: 'grpc',
    what: `odd messages of ${method}`,
    path: `/${openInferenceService}/${method}`,
    streams: false,
    metadata: {},
    steps: [{ do: 'send', message: random() < 0.6 ? right : mutate(right, random) }],
  };
}

/** The same over HTTP: a head that may be odd or mutated, tensors after it, and a length that may be wrong. */
export function openInferenceBody(corpus: Corpus, random: Random): FuzzInput {
  const asked = oddRequest(corpus, random);
  const json = Buffer.from(headOf(asked, random));
  const head = random() < 0.7 ? json : mutate(json, random);
  const tensors = asked.inputs.flatMap(({ data, isTyped }) => (isTyped ? [] : [data]));
  const length =
    random() < 0.85 ? head.byteLength : pick(random, [...oddNumbers, -1, 0.5, head.byteLength - 1]);
  const isAlone = random() < 0.05;
  const body = isAlone ? anImage(corpus, random).bytes : Buffer.concat([head, ...tensors]);
  const headers: Record<string, string> = {
    ...(isAlone ? { 'inference-header-content-length': '0' } : {}),
    ...(!isAlone && tensors.length > 0 && random() < 0.95
      ? { 'inference-header-content-length': String(length) }
      : {}),
  };
  const version = asked.version === '' ? '' : `/versions/${percentEncoded(asked.version)}`;
  const base = `/v2/models/${percentEncoded(asked.model)}${version}`;
  if (random() < 0.06) return small(random, base);
  const sent = compressed(body, random, headers);
  const path = `${base}/infer`;
  return { kind: 'http', what: 'odd infer request', method: 'POST', path, headers, body: sent };
}

function small(random: Random, base: string): FuzzInput {
  const path = pick(random, [
    '/v2',
    '/v2/',
    '/v2/health/live',
    '/v2/health/ready',
    '/v2/models/stats',
    '/v2/repository/index',
    '/v2/repository/models/tiny/load',
    base,
    `${base}/ready`,
    `${base}/config`,
    `${base}/stats`,
    `${base}/infer`,
    `${base}/generate`,
  ]);
  const method = pick(random, ['GET', 'GET', 'POST', 'DELETE']);
  return { kind: 'http', what: 'a small route of /v2', method, path, headers: {}, body: Buffer.alloc(0) };
}

function compressed(body: Buffer, random: Random, headers: Record<string, string>): Buffer {
  if (random() > 0.08) return body;
  const encoding = pick(random, ['gzip', 'deflate', 'br', 'identity', 'GZIP']);
  headers['content-encoding'] = encoding;
  // Of zeros, a thousandth of their length is sent.
  const plain = random() < 0.1 ? Buffer.alloc(below(random, 30_000_000)) : body;
  const packed = random() < 0.5 ? gzipSync(plain) : deflateSync(plain);
  return random() < 0.7 ? packed : mutate(packed, random);
}

function oddRequest(corpus: Corpus, random: Random): OddRequest {
  const count = pick(random, [1, 1, 1, 1, 1, 1, 0, 2, 3]);
  return {
    model: modelName(random),
    version: versionText(random),
    id: random() < 0.8 ? '7' : anyText(random),
    parameters: random() < 0.5 ? {} : oddParameters(random),
    inputs: several(count, () => oddInput(corpus, random)),
    outputs: several(pick(random, [0, 0, 1, 1, 2]), () => ({
      name: random() < 0.85 ? 'tokens' : pick(random, ['embeddings', anyText(random)]),
      parameters: random() < 0.6 ? {} : { binary_data: random() < 0.5, ...oddParameters(random) },
    })),
  };
}

function modelName(random: Random): string {
  return random() < 0.9 ? 'tiny' : pick(random, ['', 'other', anyText(random).slice(0, 300)]);
}

function versionText(random: Random): string {
  return random() < 0.8 ? '' : pick(random, ['1', '1', '2', '-1', anyText(random).slice(0, 300)]);
}

function oddParameters(random: Random): Parameters {
  const names = [
    'recipe',
    'dtype',
    'exif',
    'scales',
    'grid',
    'max_grid',
    'assembly',
    'priority',
    'classification',
  ];
  const values = ['encode', 'teacher', 'anyres', 'float32', 'bfloat16', '128,256', '2x2', 'tiles', 'bulk'];
  return Object.fromEntries(
    several(1 + below(random, 3), () => {
      const name = random() < 0.9 ? pick(random, names) : anyText(random);
      const value = pick<string | number | boolean>(random, [
        pick(random, values),
        pick(random, values),
        anyText(random),
        pick(random, oddNumbers),
        -1.5,
        true,
      ]);
      return [name === 'timeout' ? 'exif' : name, value];
    }),
  );
}

function oddInput(corpus: Corpus, random: Random): OddRequest['inputs'][number] {
  const isTyped = random() < 0.25;
  const odd = <Value>(right: Value, ...others: readonly Value[]) =>
    random() < 0.9 ? right : pick(random, others);
  const side = () => pick(random, [...oddNumbers, -1, 2 ** 53, 2 ** 62, 0.5]);
  if (random() < 0.5) {
    const files = several(1 + below(random, 3), () => anImage(corpus, random).bytes);
    return {
      name: odd('image', 'pixels', anyText(random)),
      datatype: odd('BYTES', 'UINT8', 'FP32', anyText(random)),
      shape: odd(
        [files.length],
        [files.length, 1],
        [side()],
        [],
        [1, side()],
        several(below(random, 3000), () => 1),
      ),
      data: isTyped ? files[0]! : rawBytes(files, random),
      isTyped,
    };
  }
  const [count, height, width] = [1 + below(random, 3), 1 + below(random, 60), 1 + below(random, 60)];
  return {
    name: odd('pixels', 'image', anyText(random)),
    datatype: odd('UINT8', 'BYTES', 'INT8', 'FP16'),
    shape: odd(
      [count, height, width, 3],
      [count, 3, height, width],
      [side(), side(), side(), 3],
      [height, width, 3],
    ),
    data: Buffer.alloc(odd(count * height * width * 3, below(random, 9000)), below(random, 256)),
    isTyped,
  };
}

function rawBytes(files: readonly Buffer[], random: Random): Buffer {
  return Buffer.concat(
    files.flatMap((file) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(random() < 0.95 ? file.byteLength : pick(random, oddNumbers));
      return [length, file];
    }),
  );
}

function headOf({ id, parameters, inputs, outputs }: OddRequest, random: Random): string {
  const described = inputs.map(({ data, isTyped, ...input }) => {
    const size = random() < 0.95 ? data.byteLength : pick(random, [...oddNumbers, -1]);
    return isTyped
      ? { ...input, data: typedData(input.datatype, data, random) }
      : { ...input, parameters: { binary_data_size: size } };
  });
  const binary = random() < 0.7 ? { binary_data_output: true } : {};
  const head = JSON.stringify({ id, parameters: { ...parameters, ...binary }, inputs: described, outputs });
  if (random() > 0.1) return head;
  return pick(random, [
    () => head.replace('"data"', '"x\\"data"'),
    () => head.replace('"inputs"', '"inputs":[],"inputs"'),
    () => head.replace(/"shape":\[[^\]]*\]/, `"shape":${'['.repeat(below(random, 5000))}`),
    () => `{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,2,2,3],"data":${oddList(random)}}]}`,
    () =>
      `{"inputs":[{"data":{"lifted_numbers":${pick(random, oddNumbers)}},"name":"pixels","shape":[1],"datatype":"UINT8"}]}`,
  ])();
}

function oddList(random: Random): string {
  const numbers = several(12, () =>
    pick(random, ['0', '1', '255', '256', '-1', '1e400', '01', '0.5', 'null', '"7"', '[]']),
  );
  return pick(random, [
    () => `[${numbers.join(',')}]`,
    () => `[[${numbers.join('],[')}]]`,
    () => `[${numbers.join(', ')}`,
    () => `[${'1,'.repeat(below(random, 200_000))}]`,
    () => '['.repeat(below(random, 100_000)),
    () => `[${'[1],'.repeat(below(random, 100_000))}1]`,
  ])();
}

function typedData(datatype: string, data: Buffer, random: Random): unknown {
  if (datatype === 'BYTES') return [random() < 0.9 ? data.toString('base64') : anyText(random)];
  const flat = [...data.subarray(0, 50_000)];
  return random() < 0.5 ? flat : flat.map((value) => [[value]]);
}

function inferMessage(
  { model, version, id, parameters, inputs, outputs }: OddRequest,
  random: Random,
): Buffer {
  const isTyped = inputs.some((input) => input.isTyped);
  const raw = isTyped && random() < 0.9 ? [] : inputs.map(({ data }) => data);
  if (random() < 0.03) raw.push(Buffer.alloc(below(random, 99)));
  return serialize('ModelInferRequest', {
    modelName: model,
    modelVersion: version,
    id,
    parameters: wireParameters(parameters),
    inputs: inputs.map(({ name, datatype, shape, data, isTyped: isOwn }) => ({
      name,
      datatype,
      shape: shape.map((side) => (Number.isInteger(side) ? BigInt(side).toString() : '1')),
      ...(isOwn ? { contents: contents(datatype, data, random) } : {}),
    })),
    outputs: outputs.map((output) => ({ name: output.name, parameters: wireParameters(output.parameters) })),
    rawInputContents: raw,
  });
}

function contents(datatype: string, data: Buffer, random: Random): object {
  if (random() < 0.1) return { fp32Contents: [0.5], intContents: [1, -1], boolContents: [true] };
  return datatype === 'BYTES' ? { bytesContents: [data] } : { uintContents: [...data.subarray(0, 50_000)] };
}

function wireParameters(parameters: Parameters): Record<string, object> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => {
      if (typeof value === 'string') return [name, { stringParam: value }];
      if (typeof value === 'boolean') return [name, { boolParam: value }];
      return [name, Number.isInteger(value) ? { int64Param: value } : { doubleParam: value }];
    }),
  );
}

function serialize(name: string, message: object): Buffer {
  return messageOf<object, never>(name).serialize(message);
}
