import { embeddingsStem, graphOutputs, projectorInput, stemOutputs } from '../graph-io.ts';
import type { Precision } from '../model.ts';
import { gridSide, type TowerGeometry } from '../tower-geometry.ts';
import { addGraphOutputs } from './graph-outputs.ts';
import type { Graph, Places } from './graph.ts';
import type { FormOf } from './int8-linear.ts';
import { LinearBuilder } from './linear-builder.ts';
import type { ProjectorContents } from './projector-contents.ts';
import { preparationName } from './projector-names.ts';

/** Adds the embeddings to a tower's graph, which has its own outputs already. */
export function addEmbeddings(
  builder: LinearBuilder,
  geometry: TowerGeometry,
  projector: ProjectorContents,
): void {
  const { graph } = builder;
  const [tokens, channels] = [rowsOf(geometry, projector), hiddenSize(projector)];
  const state = project(builder, geometry, projector, graphOutputs.float32.tokens);
  const shape = graph.constant('int64', [3], [-1, tokens, channels]);
  addGraphOutputs(graph, { state, shape, tokens, channels }, stemOutputs(embeddingsStem));
}

/** The graph of the projector alone. `places` says where its weights are in the encoder's weights file. */
export function projectorGraph(
  geometry: TowerGeometry,
  projector: ProjectorContents,
  precision: Precision,
  formOf: FormOf | undefined,
  places: Places,
): Graph {
  const builder = new LinearBuilder(precision, formOf, places);
  const { graph } = builder;
  const channels = hiddenSize(projector);
  const rows = projector.preparation === undefined ? 'rows' : gridSide(geometry) ** 2;
  const features = graph.input(projectorInput, 'float32', ['batch', rows, geometry.channels]);
  const state = project(builder, geometry, projector, features);
  const tokens = projector.preparation === undefined ? 'rows' : rowsOf(geometry, projector);
  const width = graph.constant('int64', [1], [channels]);
  const counts =
    typeof tokens === 'number'
      ? graph.constant('int64', [2], [-1, tokens])
      : graph.node('Shape', [features], { end: { int: 2 } });
  const shape = graph.node('Concat', [counts, width], { axis: { int: 0 } });
  addGraphOutputs(graph, { state, shape, tokens, channels });
  return graph;
}

/** Width of the embeddings. */
export function hiddenSize({ linears }: ProjectorContents): number {
  return linears.at(-1)!.outputs;
}

function rowsOf(geometry: TowerGeometry, { preparation }: ProjectorContents): number {
  const side = gridSide(geometry);
  const { width, height } = preparation?.grid ?? { width: side, height: side };
  return width * height;
}

/** From float32 [batch, rows, channels] to float32 [batch * rows, width of the embeddings]. */
function project(
  builder: LinearBuilder,
  { channels }: TowerGeometry,
  { preparation, linears }: ProjectorContents,
  features: string,
): string {
  const { graph } = builder;
  const names = (preparation?.tensors ?? []).map(({ shape }, index) => {
    builder.weight(preparationName(index), shape);
    return preparationName(index);
  });
  const rows =
    preparation === undefined
      ? graph.node('Reshape', [features, graph.constant('int64', [2], [-1, channels])])
      : preparation.add(builder, features, names);
  const projected = linears.reduce((value, { name, inputs, outputs, bias }, index) => {
    const active = index === 0 ? value : graph.node('Gelu', [value]);
    return builder.linear(active, name, { shape: [outputs, inputs], bias });
  }, builder.narrow(rows));
  return builder.widen(projected);
}
