import { weightsFile } from '../graph-io.ts';
import { cutNodes, type PartNode } from './graph-parts.ts';
import { encodeModel, encodeTensor } from './onnx-model.ts';

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
  | { readonly ints: readonly number[] };

/** Where an initialiser's bytes are in the weights file. */
export interface Placement {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** A number is a fixed size, a string the name of a dynamic one. */
type Dimension = number | string;

interface GraphNode extends PartNode {
  /** As onnx-model.ts has it. */
  readonly proto: object;
}

interface Initialiser {
  readonly name: string;
  /** Where its bytes are; absent for a constant, whose bytes are in the graph itself. */
  readonly place?: Placement;
  /** The whole tensor but for its place. */
  readonly proto: object;
}

interface Port {
  readonly name: string;
  readonly type: object;
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
 * Builds an ONNX model of opset 20 and com.microsoft 1. Nodes run in the order in which they are added. Weights lie in
 * the weights file beside it, in the order of the `weight` calls.
 */
export class Graph {
  readonly #nodes: GraphNode[] = [];
  readonly #initialisers: Initialiser[] = [];
  readonly #inputs: Port[] = [];
  readonly #outputs: Port[] = [];
  readonly #prefix: string;
  readonly #placed: Places;
  #names = 0;
  #weightsBytes = 0;

  /**
   * Names that the graph makes up begin with `prefix`. `placed` says where weights are that another graph placed in the
   * weights file.
   */
  constructor(prefix = '', placed: Places = new Map()) {
    this.#prefix = prefix;
    this.#placed = placed;
  }

  /** Where the weights are, by name. */
  get places(): Places {
    return new Map(this.#initialisers.flatMap(({ name, place }) => (place ? [[name, place] as const] : [])));
  }

  input(name: string, type: ElementType, shape: readonly Dimension[]): string {
    this.#inputs.push(port(name, type, shape));
    return name;
  }

  output(name: string, type: ElementType, shape: readonly Dimension[]): void {
    this.#outputs.push(port(name, type, shape));
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
    const proto = {
      input: inputs,
      output: [output],
      name: output,
      opType: operator.slice(dot + 1),
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      ...(dot > 0 ? { domain: operator.slice(0, dot) } : {}),
    };
    this.#nodes.push({ inputs, output, proto });
    return output;
  }

  /** Adds a small tensor, which the graph itself holds. */
  constant(type: 'float32' | 'int64', shape: readonly number[], values: readonly number[]): string {
    const name = `${this.#prefix}constant_${this.#names}`;
    this.#names += 1;
    const typed =
      type === 'float32' ? Float32Array.from(values) : BigInt64Array.from(values, (value) => BigInt(value));
    const rawData = new Uint8Array(typed.buffer);
    this.#initialisers.push({ name, proto: { ...tensor(name, type, shape), rawData } });
    return name;
  }

  /** Adds a tensor of the weights file. Returns where in it the caller must write the values, little-endian. */
  weight(name: string, type: ElementType, shape: readonly number[]): Placement {
    const offsetBytes = Math.ceil(this.#weightsBytes / alignmentBytes) * alignmentBytes;
    const sizeBytes = shape.reduce((product, size) => product * size, elementBytes[type]);
    const placed = this.#placed.get(name);
    const place = placed ?? { offsetBytes, sizeBytes };
    this.#initialisers.push({ name, place, proto: { ...tensor(name, type, shape), dataLocation: 1 } });
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
   * says where the weights are: another graph of the same tensors may have placed them.
   */
  parts(partBytes: number, places: Places): EncodedPart[] {
    const sizes = new Map(this.#initialisers.map(({ name, place }) => [name, place?.sizeBytes ?? 0]));
    return cutNodes(this.#nodes, sizes, partBytes).map((part) => {
      const nodes = this.#nodes.slice(part.from, part.to);
      const used = new Set(nodes.flatMap((node) => node.inputs));
      const made = new Set(nodes.map((node) => node.output));
      const cut = (name: string): Port => port(name, 'float32');
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
    return encodeModel({
      irVersion,
      producerName: 'siglip-hd',
      graph: {
        node: nodes.map(({ proto }) => proto),
        name: 'encoder',
        initializer: initialisers.map(({ name, place, proto }) =>
          encodeTensor(proto, place && externalData(places?.get(name) ?? place)),
        ),
        input: inputs,
        output: outputs,
      },
      opsetImport: Object.entries(opsets).map(([domain, version]) => ({ domain, version })),
    });
  }
}

/** Where in the weights file a tensor's values are. */
function externalData({ offsetBytes, sizeBytes }: Placement): readonly object[] {
  const entries = { location: weightsFile, offset: String(offsetBytes), length: String(sizeBytes) };
  return Object.entries(entries).map(([key, value]) => ({ key, value }));
}

/** The `to` attribute of a Cast. */
export function castTo(type: ElementType): { readonly to: Attribute } {
  return { to: { int: elementTypes[type] } };
}

function tensor(name: string, type: ElementType, dims: readonly number[]): object {
  return { dims, dataType: elementTypes[type], name };
}

/** Any shape fits when `shape` is absent. */
function port(name: string, type: ElementType, shape?: readonly Dimension[]): Port {
  const dim = shape?.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  const tensorType = { elemType: elementTypes[type], ...(dim === undefined ? {} : { shape: { dim } }) };
  return { name, type: { tensorType } };
}

function attribute(name: string, value: Attribute): object {
  if ('float' in value) return { name, f: value.float, type: 1 };
  if ('int' in value) return { name, i: value.int, type: 2 };
  return { name, ints: value.ints, type: 7 };
}
