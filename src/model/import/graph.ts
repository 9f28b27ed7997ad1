import { cutNodes, type PartNode } from './graph-parts.ts';
import { ProtoMessage } from './protobuf.ts';

/** Element types of a graph, with their numbers in onnx.TensorProto.DataType. */
const elementTypes = { float32: 1, uint8: 2, int8: 3, int64: 7, bool: 9, float16: 10 } as const;
export type ElementType = keyof typeof elementTypes;

const elementBytes = {
  float32: 4,
  uint8: 1,
  int8: 1,
  int64: 8,
  bool: 1,
  float16: 2,
} as const satisfies Record<ElementType, number>;

/** A page: ONNX Runtime maps an initialiser that starts on one. */
const alignmentBytes = 4096;

const opsets = { '': 20, 'com.microsoft': 1 } as const;
const irVersion = 9;

export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string };

/** Where an initialiser's bytes are in the weights file. */
export interface Placement {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** A number is a fixed size, a string the name of a dynamic one. */
type Dimension = number | string;

interface GraphNode extends PartNode {
  readonly message: ProtoMessage;
}

interface Initialiser {
  readonly name: string;
  /** Where its bytes are; absent for a constant, whose bytes are in the graph itself. */
  readonly place?: Placement;
  /** The whole tensor but for its place. */
  readonly message: () => ProtoMessage;
}

interface Port {
  readonly name: string;
  readonly info: ProtoMessage;
}

/** A part of a graph, as an ONNX file's bytes. */
export interface EncodedPart {
  readonly model: Uint8Array<ArrayBuffer>;
  /** The graph's outputs that it computes. */
  readonly outputs: readonly string[];
  /** What it passes to the next part, by the name of that part's input; undefined for the last. */
  readonly output: string | undefined;
}

/** Where each of a graph's weights is in a weights file. */
export type Places = ReadonlyMap<string, Placement>;

/**
 * Builds an ONNX model of opset 20 and com.microsoft 1. Nodes run in the order in which they are added. Large tensors lie
 * in an external file, in the order of the `weight` calls.
 */
export class Graph {
  readonly #nodes: GraphNode[] = [];
  readonly #initialisers: Initialiser[] = [];
  readonly #inputs: Port[] = [];
  readonly #outputs: Port[] = [];
  readonly #weightsFile: string;
  readonly #prefix: string;
  readonly #placed: Places;
  #names = 0;
  #weightsBytes = 0;

  /**
   * `weightsFile` is the external file's name beside the model. Names that the graph makes up begin with `prefix`.
   * `placed` says where weights are that another graph placed in that file.
   */
  constructor(weightsFile: string, prefix = '', placed: Places = new Map()) {
    this.#weightsFile = weightsFile;
    this.#prefix = prefix;
    this.#placed = placed;
  }

  /** Size of the external file so far. */
  get weightsBytes(): number {
    return this.#weightsBytes;
  }

  /** Where the weights are, by name. */
  get places(): Places {
    return new Map(this.#initialisers.flatMap(({ name, place }) => (place ? [[name, place] as const] : [])));
  }

  input(name: string, type: ElementType, shape: readonly Dimension[]): string {
    this.#inputs.push({ name, info: valueInfo(name, type, shape) });
    return name;
  }

  output(name: string, type: ElementType, shape: readonly Dimension[]): void {
    this.#outputs.push({ name, info: valueInfo(name, type, shape) });
  }

  /**
   * Adds a node with one output and returns the output's name: `output`, or one that the graph makes up. An operator of
   * another domain is written with the domain: com.microsoft.FastGelu.
   */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    output = `${this.#prefix}${operator}_${this.#names}`,
  ): string {
    this.#names += 1;
    const dot = operator.lastIndexOf('.');
    const node = new ProtoMessage();
    for (const input of inputs) node.string(1, input);
    node
      .string(2, output)
      .string(3, output)
      .string(4, operator.slice(dot + 1));
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    if (dot > 0) node.string(7, operator.slice(0, dot));
    this.#nodes.push({ inputs, output, message: node });
    return output;
  }

  /** Adds a small tensor, which the graph itself holds. */
  constant(type: 'float32' | 'int64', shape: readonly number[], values: readonly number[]): string {
    const name = `${this.#prefix}constant_${this.#names}`;
    this.#names += 1;
    const typed =
      type === 'float32' ? Float32Array.from(values) : BigInt64Array.from(values, (value) => BigInt(value));
    const bytes = new Uint8Array(typed.buffer);
    this.#initialisers.push({ name, message: () => tensor(name, type, shape).bytes(9, bytes) });
    return name;
  }

  /** Adds a tensor of the external file. Returns where in it the caller must write the values, little-endian. */
  weight(name: string, type: ElementType, shape: readonly number[]): Placement {
    const offsetBytes = Math.ceil(this.#weightsBytes / alignmentBytes) * alignmentBytes;
    const sizeBytes = shape.reduce((product, size) => product * size, elementBytes[type]);
    const placed = this.#placed.get(name);
    const place = placed ?? { offsetBytes, sizeBytes };
    this.#initialisers.push({ name, place, message: () => tensor(name, type, shape) });
    if (placed === undefined) this.#weightsBytes = offsetBytes + sizeBytes;
    return place;
  }

  /** The model as an ONNX file's bytes. */
  encode(): Uint8Array<ArrayBuffer> {
    return this.#encodeNodes(this.#nodes, this.#initialisers, this.#inputs, this.#outputs);
  }

  /**
   * The model in parts that run one after another, each as an ONNX file's bytes. It is cut where a single float32 tensor
   * is passed on, as soon as a part has `partBytes` of weights. An output belongs to the part that computes it. `places`
   * says where the weights are, if another graph of the same tensors placed them.
   */
  parts(partBytes: number, places: Places = this.places): EncodedPart[] {
    const sizes = new Map(this.#initialisers.map(({ name, place }) => [name, place?.sizeBytes ?? 0]));
    return cutNodes(this.#nodes, sizes, partBytes).map((part) => {
      const nodes = this.#nodes.slice(part.from, part.to);
      const used = new Set(nodes.flatMap((node) => node.inputs));
      const made = new Set(nodes.map((node) => node.output));
      const cut = (name: string): Port => ({ name, info: valueInfo(name, 'float32') });
      const inputs = [this.#inputs.find(({ name }) => name === part.input) ?? cut(part.input)];
      const outputs = this.#outputs.filter(({ name }) => made.has(name));
      const isOutput = outputs.some(({ name }) => name === part.output);
      const goesOn = part.output === undefined || isOutput ? [] : [cut(part.output)];
      const initialisers = this.#initialisers.filter(({ name }) => used.has(name));
      return {
        output: part.output,
        outputs: outputs.map(({ name }) => name),
        model: this.#encodeNodes(nodes, initialisers, inputs, [...outputs, ...goesOn], places),
      };
    });
  }

  #encodeNodes(
    nodes: readonly GraphNode[],
    initialisers: readonly Initialiser[],
    inputs: readonly Port[],
    outputs: readonly Port[],
    places?: Places,
  ): Uint8Array<ArrayBuffer> {
    const graph = new ProtoMessage();
    for (const { message } of nodes) graph.message(1, message);
    graph.string(2, 'encoder');
    for (const { name, place, message } of initialisers) {
      graph.message(
        5,
        place === undefined
          ? message()
          : withExternalData(message(), this.#weightsFile, places?.get(name) ?? place),
      );
    }
    for (const { info } of inputs) graph.message(11, info);
    for (const { info } of outputs) graph.message(12, info);
    const model = new ProtoMessage().int(1, irVersion).string(2, 'siglip-hd').message(7, graph);
    for (const [domain, version] of Object.entries(opsets)) {
      model.message(8, new ProtoMessage().string(1, domain).int(2, version));
    }
    return model.encode();
  }
}

/** A TensorProto whose values are in the file `location` beside the model. */
function withExternalData(
  tensorProto: ProtoMessage,
  location: string,
  { offsetBytes, sizeBytes }: Placement,
): ProtoMessage {
  tensorProto.int(14, 1);
  const entries = { location, offset: String(offsetBytes), length: String(sizeBytes) };
  for (const [key, value] of Object.entries(entries)) {
    tensorProto.message(13, new ProtoMessage().string(1, key).string(2, value));
  }
  return tensorProto;
}

/** The `to` attribute of a Cast. */
export function castTo(type: ElementType): { readonly to: Attribute } {
  return { to: { int: elementTypes[type] } };
}

function tensor(name: string, type: ElementType, shape: readonly number[]): ProtoMessage {
  const message = new ProtoMessage();
  for (const size of shape) message.int(1, size);
  return message.int(2, elementTypes[type]).string(8, name);
}

/** Any shape fits when `shape` is absent. */
function valueInfo(name: string, type: ElementType, shape?: readonly Dimension[]): ProtoMessage {
  const tensorType = new ProtoMessage().int(1, elementTypes[type]);
  if (shape !== undefined) {
    const dimensions = new ProtoMessage();
    for (const size of shape) {
      const dimension = new ProtoMessage();
      dimensions.message(1, typeof size === 'number' ? dimension.int(1, size) : dimension.string(2, size));
    }
    tensorType.message(2, dimensions);
  }
  return new ProtoMessage().string(1, name).message(2, new ProtoMessage().message(1, tensorType));
}

function attribute(name: string, value: Attribute): ProtoMessage {
  const message = new ProtoMessage().string(1, name);
  if ('float' in value) return message.float(2, value.float).int(20, 1);
  if ('int' in value) return message.int(3, value.int).int(20, 2);
  if ('string' in value) return message.string(4, value.string).int(20, 3);
  for (const element of value.ints) message.int(8, element);
  return message.int(20, 7);
}
