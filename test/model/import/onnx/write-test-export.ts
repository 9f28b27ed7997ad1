import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProtoMessage } from '../../../../src/model/import/protobuf.ts';
import { decodeSafetensors } from '../checkpoints.ts';
import { fixture } from '../fixtures.ts';

/** Where an export keeps its weights: as raw_data, as float_data, in one file beside it, or in one for each. */
export type Storage = 'raw' | 'floats' | 'external' | 'files';

export interface TestExportOptions {
  readonly storage?: Storage;
  readonly opset?: number;
  /** Of pixel_values and last_hidden_state; the arithmetic is float32. */
  readonly type?: 'float32' | 'float16';
  /** Puts a token in front of the patches', as CLIP has one. */
  readonly classToken?: boolean;
  /** Quantises the tokens while it runs, with one scale for the whole batch. */
  readonly isDynamic?: boolean;
  /** Declared shapes of pixel_values and last_hidden_state. */
  readonly inputShape?: readonly (number | string)[];
  readonly outputShape?: readonly (number | string)[];
  readonly inputName?: string;
  readonly outputName?: string;
  /** Adds fields to the graph, such as nodes. */
  readonly addToGraph?: (graph: ProtoMessage) => void;
  /** Adds fields to the model, such as functions. */
  readonly addToModel?: (model: ProtoMessage) => void;
  /** What an external tensor says of itself, from what is right. */
  readonly entries?: (entries: Record<string, string>) => Record<string, string>;
}

type Attributes = Readonly<Record<string, number | readonly number[]>>;

const types = { float32: 1, int64: 7, float16: 10 } as const;
const [channels, heads, layers, tokens] = [32, 2, 3, 1024];

/**
 * Writes siglip-tiny as Optimum exports it: FOLDER/onnx/vision_model.onnx, with the JSON files in FOLDER. Gives the
 * file's path.
 */
export async function writeTestExport(folder: string, options: TestExportOptions = {}): Promise<string> {
  await mkdir(join(folder, 'onnx'), { recursive: true });
  for (const file of ['config.json', 'preprocessor_config.json']) {
    await cp(join(fixture('siglip-tiny'), file), join(folder, file));
  }
  const { model, files } = await testExport(options);
  for (const [name, bytes] of files) await writeFile(join(folder, 'onnx', name), bytes);
  const path = join(folder, 'onnx', 'vision_model.onnx');
  await writeFile(path, model);
  return path;
}

/** The same in memory: the ONNX file, and the files beside it. */
export async function testExport(
  options: TestExportOptions = {},
): Promise<{ readonly model: Uint8Array<ArrayBuffer>; readonly files: ReadonlyMap<string, Uint8Array> }> {
  const writer = new ExportWriter(options);
  const weights = decodeSafetensors(await readFile(join(fixture('siglip-tiny'), 'model.safetensors')));
  const values = (name: string): Float32Array => {
    const { data } = weights.get(name) ?? weights.get(`vision_model.${name}`)!;
    return new Float32Array(Uint8Array.from(data).buffer);
  };
  return { model: writer.write(values), files: writer.files };
}

class ExportWriter {
  readonly #graph = new ProtoMessage();
  readonly #options: TestExportOptions;
  readonly #opset: number;
  readonly #outside: Uint8Array[] = [];
  readonly #files = new Map<string, Uint8Array>();
  #outsideBytes = 0;
  #names = 0;

  constructor(options: TestExportOptions) {
    this.#options = options;
    this.#opset = options.opset ?? 14;
  }

  get files(): ReadonlyMap<string, Uint8Array> {
    const one =
      this.#outside.length === 0 ? [] : [['vision_model.onnx_data', Buffer.concat(this.#outside)] as const];
    return new Map([...this.#files, ...one]);
  }

  write(values: (name: string) => Float32Array): Uint8Array<ArrayBuffer> {
    const { type = 'float32', classToken = false, inputName = 'pixel_values' } = this.#options;
    const { outputName = 'last_hidden_state', addToGraph, addToModel } = this.#options;
    let state = type === 'float32' ? inputName : this.#node('Cast', [inputName], { to: types.float32 });
    const kernel = this.#weight(
      'patch.weight',
      [channels, 3, 16, 16],
      values('embeddings.patch_embedding.weight'),
    );
    const bias = this.#weight('patch.bias', [channels], values('embeddings.patch_embedding.bias'));
    state = this.#node('Conv', [state, kernel, bias], { kernel_shape: [16, 16], strides: [16, 16] });
    state = this.#node('Transpose', [this.#reshape(state, [0, channels, -1])], { perm: [0, 2, 1] });
    const positions = values('embeddings.position_embedding.weight');
    state = this.#node('Add', [state, this.#weight('positions', [1, tokens, channels], positions)]);
    for (let layer = 0; layer < layers; layer += 1)
      state = this.#layer(state, `encoder.layers.${layer}`, values);
    state = this.#norm(state, 'post_layernorm', values);
    if (this.#options.isDynamic === true) {
      const parts = ['steps', 'scale', 'zero'] as const;
      this.#graph.message(1, node('DynamicQuantizeLinear', [state], parts));
      state = this.#node('DequantizeLinear', parts);
    }
    if (classToken) state = this.#node('Concat', [this.#mean(state, 1), state], { axis: 1 });
    if (type === 'float32') this.#node('Identity', [state], {}, outputName);
    else this.#node('Cast', [state], { to: types.float16 }, outputName);
    this.#node('Identity', [this.#mean(state, 1)], {}, 'pooler_output');
    addToGraph?.(this.#graph);
    const count = classToken ? tokens + 1 : tokens;
    const { inputShape = ['batch_size', 'num_channels', 'height', 'width'] } = this.#options;
    const { outputShape = ['batch_size', count, channels] } = this.#options;
    this.#graph.string(2, 'main_graph').message(11, port(inputName, types[type], inputShape));
    this.#graph.message(12, port(outputName, types[type], outputShape));
    this.#graph.message(12, port('pooler_output', types.float32, ['batch_size', 1, channels]));
    const model = new ProtoMessage().int(1, 7).string(2, 'pytorch').message(7, this.#graph);
    model.message(8, new ProtoMessage().int(2, this.#opset));
    addToModel?.(model);
    return model.encode();
  }

  #layer(state: string, name: string, values: (name: string) => Float32Array): string {
    const normed = this.#norm(state, `${name}.layer_norm1`, values);
    const perHead = [0, tokens, heads, channels / heads];
    const [query, key, value] = ['q_proj', 'k_proj', 'v_proj'].map((part) =>
      this.#reshape(this.#linear(normed, `${name}.self_attn.${part}`, channels, channels, values), perHead),
    );
    const scores = this.#node('MatMul', [
      this.#node('Transpose', [query!], { perm: [0, 2, 1, 3] }),
      this.#node('Transpose', [key!], { perm: [0, 2, 3, 1] }),
    ]);
    const scaled = this.#node('Mul', [scores, this.#scalar(Math.sqrt(heads / channels))]);
    const mixed = this.#node('MatMul', [
      this.#node('Softmax', [scaled], { axis: -1 }),
      this.#node('Transpose', [value!], { perm: [0, 2, 1, 3] }),
    ]);
    const joined = this.#reshape(this.#node('Transpose', [mixed], { perm: [0, 2, 1, 3] }), [
      0,
      tokens,
      channels,
    ]);
    const attended = this.#linear(joined, `${name}.self_attn.out_proj`, channels, channels, values);
    const middle = this.#node('Add', [state, attended]);
    const second = this.#norm(middle, `${name}.layer_norm2`, values);
    const wide = this.#gelu(this.#linear(second, `${name}.mlp.fc1`, channels, 80, values));
    return this.#node('Add', [middle, this.#linear(wide, `${name}.mlp.fc2`, 80, channels, values)]);
  }

  /** MatMul and Add, the weight transposed, as PyTorch exports a Linear. */
  #linear(
    value: string,
    name: string,
    inputs: number,
    outputs: number,
    values: (name: string) => Float32Array,
  ): string {
    const stored = values(`${name}.weight`);
    const turned = Float32Array.from(
      stored,
      (_, i) => stored[(i % outputs) * inputs + Math.floor(i / outputs)]!,
    );
    const product = this.#node('MatMul', [value, this.#weight(`${name}.MatMul`, [inputs, outputs], turned)]);
    return this.#node('Add', [this.#weight(`${name}.bias`, [outputs], values(`${name}.bias`)), product]);
  }

  #norm(state: string, name: string, values: (name: string) => Float32Array): string {
    const centred = this.#node('Sub', [state, this.#mean(state, -1)]);
    const variance = this.#mean(this.#node('Pow', [centred, this.#scalar(2)]), -1);
    const deviation = this.#node('Sqrt', [this.#node('Add', [variance, this.#scalar(1e-6)])]);
    const [weight, bias] = ['weight', 'bias'].map((part) =>
      this.#weight(`${name}.${part}`, [channels], values(`${name}.${part}`)),
    );
    const scaled = this.#node('Mul', [this.#node('Div', [centred, deviation]), weight!]);
    return this.#node('Add', [scaled, bias!]);
  }

  #gelu(value: string): string {
    const cube = this.#node('Mul', [this.#node('Pow', [value, this.#scalar(3)]), this.#scalar(0.044715)]);
    const inner = this.#node('Mul', [this.#node('Add', [value, cube]), this.#scalar(Math.sqrt(2 / Math.PI))]);
    const one = this.#node('Add', [this.#node('Tanh', [inner]), this.#scalar(1)]);
    return this.#node('Mul', [this.#node('Mul', [value, this.#scalar(0.5)]), one]);
  }

  /** Axes became an input of ReduceMean with opset 18. */
  #mean(value: string, axis: number): string {
    if (this.#opset < 18) return this.#node('ReduceMean', [value], { axes: [axis], keepdims: 1 });
    return this.#node('ReduceMean', [value, this.#integers([axis])], { keepdims: 1 });
  }

  #reshape(value: string, shape: readonly number[]): string {
    return this.#node('Reshape', [value, this.#integers(shape)]);
  }

  #integers(values: readonly number[]): string {
    const name = this.#name('shape');
    const bytes = new Uint8Array(BigInt64Array.from(values, (value) => BigInt(value)).buffer);
    const tensor = new ProtoMessage().int(1, values.length).int(2, types.int64).string(8, name);
    this.#graph.message(5, tensor.bytes(9, bytes));
    return name;
  }

  #scalar(value: number): string {
    const name = this.#name('scalar');
    const tensor = new ProtoMessage().int(2, types.float32).string(8, name);
    this.#graph.message(5, tensor.bytes(9, new Uint8Array(Float32Array.of(value).buffer)));
    return name;
  }

  #weight(name: string, shape: readonly number[], values: Float32Array): string {
    const { storage = 'raw', entries: change = (entries) => entries } = this.#options;
    const bytes = new Uint8Array(values.buffer.slice(0) as ArrayBuffer);
    const tensor = new ProtoMessage();
    for (const size of shape) tensor.int(1, size);
    tensor.int(2, types.float32).string(8, name);
    if (storage === 'raw') tensor.bytes(9, bytes);
    if (storage === 'floats') tensor.bytes(4, bytes);
    if (storage === 'external' || storage === 'files') {
      tensor.int(14, 1);
      for (const [key, value] of Object.entries(change(this.#putOutside(name, bytes, storage)))) {
        tensor.message(13, new ProtoMessage().string(1, key).string(2, value));
      }
    }
    this.#graph.message(5, tensor);
    return name;
  }

  #putOutside(name: string, bytes: Uint8Array, storage: 'external' | 'files'): Record<string, string> {
    if (storage === 'files') {
      this.#files.set(name, bytes);
      return { location: name };
    }
    // Off any alignment.
    const offset = this.#outsideBytes + 4;
    this.#outside.push(new Uint8Array(4), bytes);
    this.#outsideBytes = offset + bytes.byteLength;
    return { location: 'vision_model.onnx_data', offset: String(offset), length: String(bytes.byteLength) };
  }

  #node(
    operator: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    output = this.#name(operator),
  ): string {
    this.#graph.message(1, node(operator, inputs, output, attributes));
    return output;
  }

  #name(stem: string): string {
    this.#names += 1;
    return `/vision_model/${stem}_${this.#names}`;
  }
}

/** A NodeProto. */
export function node(
  operator: string,
  inputs: readonly string[],
  outputs: string | readonly string[],
  attributes: Attributes = {},
  domain = '',
): ProtoMessage {
  const message = new ProtoMessage();
  for (const input of inputs) message.string(1, input);
  for (const output of [outputs].flat()) message.string(2, output);
  message.string(4, operator);
  for (const [name, value] of Object.entries(attributes)) {
    const attribute = new ProtoMessage().string(1, name);
    if (typeof value === 'number') attribute.int(3, value).int(20, 2);
    else for (const one of value) attribute.int(8, one);
    if (typeof value !== 'number') attribute.int(20, 7);
    message.message(5, attribute);
  }
  return domain === '' ? message : message.string(7, domain);
}

/** A ValueInfoProto. */
export function port(name: string, type: number, shape: readonly (number | string)[]): ProtoMessage {
  const dims = new ProtoMessage();
  for (const size of shape) {
    const dim = new ProtoMessage();
    dims.message(1, typeof size === 'number' ? dim.int(1, size) : dim.string(2, size));
  }
  const tensorType = new ProtoMessage().int(1, type).message(2, dims);
  return new ProtoMessage().string(1, name).message(2, new ProtoMessage().message(1, tensorType));
}
