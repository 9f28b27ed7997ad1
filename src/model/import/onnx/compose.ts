import { type Graph, withExternalData } from '../graph.ts';
import { graphInput, graphOutputs, weightsFile } from '../../graph-io.ts';
import { ProtoMessage } from '../protobuf.ts';
import { exportInput, exportOutput } from './export-tower.ts';
import type { FileRange, LocatedWeight } from './locate-weights.ts';
import type { ExportedModel } from './read-export.ts';
import type { StoredTensor } from './read-tensor.ts';
import { namePrefix } from './surround.ts';
import { WireFile, type ByteRange } from './wire-file.ts';

/** Bytes in memory, or of a file, to be copied. */
export type Piece = Uint8Array | FileRange;

/** What the exported graph is read from. */
export interface ExportFile {
  readonly file: WireFile;
  readonly path: string;
  readonly model: ExportedModel;
}

/** Version 4 of the format is the first whose initialisers need not be inputs. */
const leastIrVersion = 4;
/** Protobuf's limit on a message. */
const maxModelBytes = 2 ** 31 - 1;

/** Bytes of a piece. */
export function pieceBytes(piece: Piece): number {
  return piece instanceof Uint8Array ? piece.byteLength : piece.end - piece.start;
}

/**
 * One ONNX file of an exported graph with a graph in front, which gives its input, and one behind, which takes its
 * output. What is copied of the export stays a range of its file. Its other outputs go, as do descriptions.
 */
export async function compose(
  { file, path, model }: ExportFile,
  weights: readonly LocatedWeight[],
  front: Graph,
  behind: Graph,
): Promise<Piece[]> {
  refuseTakenNames(file, model);
  const [before, after] = [await graphFields(front), await graphFields(behind)];
  const copied = (field: number, range: ByteRange): Piece[] => message(field, [{ path, ...range }]);
  const graph = [
    ...before.nodes,
    ...model.nodes.flatMap(({ range }) => copied(1, range)),
    ...after.nodes,
    new ProtoMessage().string(2, 'encoder').encode(),
    ...before.initialisers,
    ...weights.flatMap((weight) =>
      weight.kind === 'kept' ? copied(5, weight.tensor.range) : message(5, tensorPieces(weight)),
    ),
    ...after.initialisers,
    ...before.inputs,
    ...after.outputs,
  ];
  const header = new ProtoMessage().int(1, Math.max(model.irVersion, leastIrVersion)).string(2, 'siglip-hd');
  for (const [domain, version] of model.opsets) {
    header.message(8, new ProtoMessage().string(1, domain).int(2, version));
  }
  const pieces = [
    header.encode(),
    ...message(7, graph),
    ...model.functions.flatMap((range) => copied(25, range)),
  ];
  const sizeBytes = totalBytes(pieces);
  if (sizeBytes > maxModelBytes) {
    throw file.fault(`would become a graph of ${sizeBytes} bytes; export it with external data`);
  }
  return pieces;
}

/** The names that are added must not be in the graph already. */
function refuseTakenNames(file: WireFile, { nodes, initialisers }: ExportedModel): void {
  const added = new Set<string>([graphInput, exportInput]);
  for (const { tokens, finite } of Object.values(graphOutputs)) added.add(tokens).add(finite);
  const refuse = (name: string): void => {
    if (added.has(name) || name.startsWith(namePrefix)) {
      throw file.fault(`has a value with the name ${name}, which the import gives to another`);
    }
  };
  for (const { name } of initialisers) {
    refuse(name);
    if (name === exportOutput) throw file.fault(`has ${exportOutput} as a constant`);
  }
  for (const { outputs } of nodes) for (const output of outputs) refuse(output);
}

type TensorPieces = Exclude<LocatedWeight, { readonly kind: 'kept' }>;

function tensorPieces(weight: TensorPieces): Piece[] {
  const proto = tensorProto(weight.tensor);
  return weight.kind === 'moved'
    ? [withExternalData(proto, weightsFile, weight.place).encode()]
    : [proto.encode(), ...message(9, [weight.from])];
}

function tensorProto({ name, type, dims }: StoredTensor): ProtoMessage {
  const proto = new ProtoMessage();
  for (const size of dims) proto.int(1, size);
  return proto.int(2, type).string(8, name);
}

/** A field whose value is a message of these pieces. */
function message(field: number, pieces: readonly Piece[]): Piece[] {
  return [ProtoMessage.head(field, totalBytes(pieces)), ...pieces];
}

function totalBytes(pieces: readonly Piece[]): number {
  return pieces.reduce((total, piece) => total + pieceBytes(piece), 0);
}

/** The fields of a graph's GraphProto, each with its tag. */
async function graphFields(
  graph: Graph,
): Promise<Record<'nodes' | 'initialisers' | 'inputs' | 'outputs', readonly Uint8Array[]>> {
  const bytes = graph.encode();
  const file = WireFile.of(bytes, 'the graph');
  const byNumber = new Map<number, Uint8Array[]>();
  for await (const field of file.fields()) {
    if (field.number !== 7) continue;
    for await (const { number, start, content } of file.fields(field.content)) {
      const fields = byNumber.get(number) ?? [];
      fields.push(bytes.subarray(start, content.end));
      byNumber.set(number, fields);
    }
  }
  const fieldsOf = (number: number): readonly Uint8Array[] => byNumber.get(number) ?? [];
  return { nodes: fieldsOf(1), initialisers: fieldsOf(5), inputs: fieldsOf(11), outputs: fieldsOf(12) };
}
