import { castTo, Graph } from '../graph.ts';
import { graphInput, weightsFile } from '../../graph-io.ts';
import { addGraphOutputs } from '../graph-outputs.ts';
import type { Normalisation } from '../../tower-geometry.ts';
import { exportInput, exportOutput, type ExportTower } from './export-tower.ts';

/** Begins every name that the surrounding graphs make up. */
export const namePrefix = 'siglip_hd.';

/** From the pixels of graph-io.ts to pixel_values: normalised, NCHW. Runs with opsets 13 to 21. */
export function graphInFront(
  { imageSize, inputType }: Pick<ExportTower, 'imageSize' | 'inputType'>,
  { rescale, mean, std }: Normalisation,
): Graph {
  const graph = new Graph(weightsFile, `${namePrefix}front.`);
  const pixels = graph.input(graphInput, 'uint8', ['batch', imageSize, imageSize, 3]);
  const perChannel = (valueOf: (channel: 0 | 1 | 2) => number): string =>
    graph.constant('float32', [3], ([0, 1, 2] as const).map(valueOf));
  const factors = perChannel((channel) => rescale / std[channel]);
  const offsets = perChannel((channel) => mean[channel] / std[channel]);
  const scaled = graph.node('Mul', [graph.node('Cast', [pixels], castTo('float32')), factors]);
  const channelsFirst = { perm: { ints: [0, 3, 1, 2] } };
  const centred = graph.node('Sub', [scaled, offsets]);
  if (inputType === 'float32') {
    graph.node('Transpose', [centred], channelsFirst, exportInput);
  } else {
    graph.node('Cast', [graph.node('Transpose', [centred], channelsFirst)], castTo(inputType), exportInput);
  }
  return graph;
}

/** From last_hidden_state to the outputs of graph-io.ts. Runs with opsets 13 to 21. */
export function graphBehind({ tokens, channels, hasClassToken, outputType }: ExportTower): Graph {
  const graph = new Graph(weightsFile, `${namePrefix}behind.`);
  let state: string = exportOutput;
  if (outputType !== 'float32') state = graph.node('Cast', [state], castTo('float32'));
  if (hasClassToken) {
    const [start, end, axis] = [1, tokens + 1, 1].map((value) => graph.constant('int64', [1], [value]));
    state = graph.node('Slice', [state, start!, end!, axis!]);
  }
  // 0 keeps the batch as it is: with -1 other tokens than config.json's could pass as more views.
  const shape = graph.constant('int64', [3], [0, tokens, channels]);
  addGraphOutputs(graph, { state, shape, tokens, channels });
  return graph;
}
