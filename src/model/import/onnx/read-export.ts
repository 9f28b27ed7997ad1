import { readTensor, type StoredTensor } from './read-tensor.ts';
import type { ByteRange, Field, WireFile } from './wire-file.ts';

/** A node of the graph or of a function, its attributes unread. */
export interface ExportedNode {
  readonly name: string;
  readonly operator: string;
  /** Empty for ONNX's own operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** The whole NodeProto. */
  readonly range: ByteRange;
}

/** An input or output of the graph. */
export interface Port {
  readonly name: string;
  /** onnx.TensorProto.DataType's number; 0 when it is no tensor. */
  readonly type: number;
  /** A number where the size is fixed; undefined where it is not, or when nothing is said of the shape. */
  readonly dims: readonly (number | undefined)[] | undefined;
}

/** What an ONNX file holds, in its order; the tensors' values are left where they are. */
export interface ExportedModel {
  readonly irVersion: number;
  /** Versions of the operators by domain; ONNX's own has the domain ''. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly nodes: readonly ExportedNode[];
  readonly initialisers: readonly StoredTensor[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Domains of the model's own functions. */
  readonly functionDomains: ReadonlySet<string>;
  /** Each FunctionProto. */
  readonly functions: readonly ByteRange[];
}

const maxRank = 32;
/** Attributes within graphs within attributes. */
const maxDepth = 16;

/** Reads a ModelProto. Throws `invalid_argument`, with a sentence, at what is none. */
export async function readExport(file: WireFile): Promise<ExportedModel> {
  const model = {
    irVersion: 0,
    opsets: new Map<string, number>(),
    nodes: [] as ExportedNode[],
    initialisers: [] as StoredTensor[],
    inputs: [] as Port[],
    outputs: [] as Port[],
    functionDomains: new Set<string>(),
    functions: [] as ByteRange[],
  };
  let hasGraph = false;
  for await (const field of file.fields()) {
    switch (field.number) {
      case 1:
        model.irVersion = field.value;
        break;
      case 7:
        requireMessage(file, field);
        hasGraph = true;
        await readGraph(file, field.content, model);
        break;
      case 8: {
        requireMessage(file, field);
        const [domain, version] = await readOpset(file, field.content);
        model.opsets.set(domain, version);
        break;
      }
      case 25:
        requireMessage(file, field);
        model.functions.push(field.content);
        model.functionDomains.add(await readFunctionDomain(file, field.content));
        break;
      default:
    }
  }
  if (!hasGraph) throw file.fault('is no ONNX file: it has no graph');
  return model;
}

async function readGraph(
  file: WireFile,
  range: ByteRange,
  graph: {
    readonly nodes: ExportedNode[];
    readonly initialisers: StoredTensor[];
    readonly inputs: Port[];
    readonly outputs: Port[];
  },
): Promise<void> {
  for await (const field of file.fields(range)) {
    switch (field.number) {
      case 1:
        requireMessage(file, field);
        graph.nodes.push(await readNode(file, field.content));
        break;
      case 5:
        requireMessage(file, field);
        graph.initialisers.push(await readTensor(file, field.content));
        break;
      case 11:
      case 12:
        requireMessage(file, field);
        graph[field.number === 11 ? 'inputs' : 'outputs'].push(await readPort(file, field.content));
        break;
      case 15:
        throw file.fault('has sparse initialisers, which cannot be imported');
      default:
    }
  }
}

async function readNode(file: WireFile, range: ByteRange): Promise<ExportedNode> {
  const inputs: string[] = [];
  const outputs: string[] = [];
  let name = '';
  let operator = '';
  let domain = '';
  for await (const field of file.fields(range)) {
    switch (field.number) {
      case 1:
        inputs.push(await file.text(field));
        break;
      case 2:
        outputs.push(await file.text(field));
        break;
      case 3:
        name = await file.text(field);
        break;
      case 4:
        operator = await file.text(field);
        break;
      case 5:
        requireMessage(file, field);
        await refuseExternal(file, field.content, 'attribute', 0);
        break;
      case 7:
        domain = ownDomain(await file.text(field));
        break;
      default:
    }
  }
  return { name, operator, domain, inputs, outputs, range };
}

/** Messages that hold tensors, and which of their fields hold what. */
const holders = {
  attribute: new Map([
    [5, 'tensor'],
    [6, 'graph'],
    [10, 'tensor'],
    [11, 'graph'],
    [22, 'sparse'],
    [23, 'sparse'],
  ] as const),
  graph: new Map([
    [1, 'node'],
    [5, 'tensor'],
    [15, 'sparse'],
  ] as const),
  node: new Map([[5, 'attribute']] as const),
  function: new Map([
    [7, 'node'],
    [11, 'attribute'],
  ] as const),
  sparse: new Map([
    [1, 'tensor'],
    [2, 'tensor'],
  ] as const),
} as const;
type Holder = keyof typeof holders;

/** Throws where a tensor within a node has its values in another file: they would be left behind there. */
async function refuseExternal(
  file: WireFile,
  range: ByteRange,
  kind: Holder | 'tensor',
  depth: number,
): Promise<void> {
  if (depth > maxDepth) throw file.fault(`has graphs within nodes, more than ${maxDepth} deep`);
  for await (const field of file.fields(range)) {
    if (kind === 'tensor') {
      if ((field.number === 14 && field.value === 1) || field.number === 13) {
        throw file.fault('has a node whose tensor lies in another file, which cannot be imported');
      }
      continue;
    }
    const within = (holders[kind] as ReadonlyMap<number, Holder | 'tensor'>).get(field.number);
    if (within === undefined) continue;
    requireMessage(file, field);
    await refuseExternal(file, field.content, within, depth + 1);
  }
}

async function readFunctionDomain(file: WireFile, range: ByteRange): Promise<string> {
  await refuseExternal(file, range, 'function', 0);
  let domain = '';
  for await (const field of file.fields(range)) if (field.number === 10) domain = await file.text(field);
  return domain;
}

async function readOpset(file: WireFile, range: ByteRange): Promise<[string, number]> {
  const opset: [string, number] = ['', 0];
  for await (const field of file.fields(range)) {
    if (field.number === 1) opset[0] = ownDomain(await file.text(field));
    if (field.number === 2) opset[1] = field.value;
  }
  return opset;
}

/** A ValueInfoProto. */
async function readPort(file: WireFile, range: ByteRange): Promise<Port> {
  let name = '';
  let type = 0;
  let dims: (number | undefined)[] | undefined;
  for await (const field of file.fields(range)) {
    if (field.number === 1) name = await file.text(field);
    if (field.number !== 2) continue;
    for await (const tensorType of file.fields(field.content)) {
      if (tensorType.number !== 1) continue;
      for await (const part of file.fields(tensorType.content)) {
        if (part.number === 1) type = part.value;
        if (part.number === 2) dims = await readShape(file, part.content);
      }
    }
  }
  return { name, type, dims };
}

/** A TensorShapeProto. */
async function readShape(file: WireFile, range: ByteRange): Promise<(number | undefined)[]> {
  const dims: (number | undefined)[] = [];
  for await (const dim of file.fields(range)) {
    if (dim.number !== 1) continue;
    let size: number | undefined;
    // Some exporters write -1 or 0 for a size that is not fixed.
    for await (const part of file.fields(dim.content))
      if (part.number === 1 && part.value > 0) size = part.value;
    dims.push(size);
    if (dims.length > maxRank) throw file.fault(`has a shape of more than ${maxRank} dimensions`);
  }
  return dims;
}

function requireMessage(file: WireFile, field: Field): void {
  if (field.wire !== 'bytes') {
    throw file.fault(`is no ONNX file, or damaged: the field at byte ${field.start} is no message`);
  }
}

function ownDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}
