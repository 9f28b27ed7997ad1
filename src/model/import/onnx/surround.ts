import { castTo, Graph } from '../graph.ts';
import { graphInput } from '../../graph-io.ts';
import { addGraphOutputs } from '../graph-outputs.ts';
import { gridSide, type Normalisation, type TowerGeometry } from '../../tower-geometry.ts';
import type { PixelPort, TokenPort } from './export-ports.ts';

/** Begins the names inside these graphs, so that none is the name of an export's input or output. */
const namePrefix = 'siglip_hd.';

/** The graph that runs before an export: from the service's pixels to the export's input, normalised. */
export function graphBefore(
  { imageSize }: TowerGeometry,
  { name, type, channelsLast }: PixelPort,
  { rescale, mean, std }: Normalisation,
): Graph {
  const graph = new Graph(namePrefix);
  const pixels = graph.input(graphInput, 'uint8', ['batch', imageSize, imageSize, 3]);
  // Transposed as bytes, and scaled by planes: four times as fast as by pixels.
  const laidOut = channelsLast ? pixels : graph.node('Transpose', [pixels], { perm: { ints: [0, 3, 1, 2] } });
  const perChannel = (valueOf: (channel: 0 | 1 | 2) => number): string =>
    graph.constant('float32', channelsLast ? [3] : [3, 1, 1], ([0, 1, 2] as const).map(valueOf));
  const factors = perChannel((channel) => rescale / std[channel]);
  const offsets = perChannel((channel) => mean[channel] / std[channel]);
  const scaled = graph.node('Mul', [graph.node('Cast', [laidOut], castTo('float32')), factors]);
  graph.node('Cast', [graph.node('Sub', [scaled, offsets])], castTo(type), name);
  const sizes = channelsLast ? [imageSize, imageSize, 3] : [3, imageSize, imageSize];
  graph.output(name, type, ['batch', ...sizes]);
  return graph;
}

/** The graph that runs after an export: from the export's output to the service's outputs. */
export function graphAfter(geometry: TowerGeometry, { name, type, hasClassToken }: TokenPort): Graph {
  const { channels } = geometry;
  const tokens = gridSide(geometry) ** 2;
  const graph = new Graph(namePrefix);
  graph.input(name, type, ['batch', hasClassToken ? tokens + 1 : tokens, channels]);
  let state = graph.node('Cast', [name], castTo('float32'));
  if (hasClassToken) {
    const [start, end, axis] = [1, tokens + 1, 1].map((value) => graph.constant('int64', [1], [value]));
    state = graph.node('Slice', [state, start!, end!, axis!]);
  }
  const shape = graph.constant('int64', [3], [-1, tokens, channels]);
  addGraphOutputs(graph, { state, shape, tokens, channels });
  return graph;
}
